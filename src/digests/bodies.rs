//! A cache of parsed bodies.
//!
//! Parsing 200 kB takes a tenth of a second of CPU time, and anybody may request a page of the archive as often as
//! they like. So a text is parsed once while it is in demand, by one thread at a time, and never on a thread that
//! serves requests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::content::Body;
use crate::panics::Broke;

/// How many are kept: the issues sent last, and those being written.
const KEPT: usize = 16;

/// A text and the result of parsing it.
type Known = (String, Arc<Body>);

/// The most recently used bodies.
#[derive(Debug, Default)]
pub struct Bodies {
    /// The most recently used one comes first.
    known: Arc<Mutex<VecDeque<Known>>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Bodies {
    /// Parses Markdown like [`Body::parse`].
    ///
    /// # Errors
    /// The parser panicked, which is a bug of ours: it would happen again.
    pub async fn read(&self, markdown: &str) -> Result<Arc<Body>, Broke> {
        if let Some(body) = self.known(markdown) {
            return Ok(body);
        }
        let turn = Arc::clone(&self.turn).lock_owned().await;
        // Another caller may have parsed the same text while this one waited.
        if let Some(body) = self.known(markdown) {
            return Ok(body);
        }
        let (text, known) = (markdown.to_owned(), Arc::clone(&self.known));
        let reading = tokio::task::spawn_blocking(move || {
            // The turn ends with the work, not with the request: the client may disconnect before.
            let _turn = turn;
            let body = Arc::new(Body::parse(&text));
            let mut known = lock(&known);
            known.push_front((text, Arc::clone(&body)));
            known.truncate(KEPT);
            body
        });
        reading.await.map_err(|_| Broke)
    }

    fn known(&self, markdown: &str) -> Option<Arc<Body>> {
        let mut known = lock(&self.known);
        let at = known.iter().position(|(text, _)| text == markdown)?;
        let found = known.remove(at)?;
        let body = Arc::clone(&found.1);
        known.push_front(found);
        Some(body)
    }
}

fn lock(known: &Mutex<VecDeque<Known>>) -> MutexGuard<'_, VecDeque<Known>> {
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Poll;

    use super::*;

    #[tokio::test]
    async fn a_text_is_read_once_while_it_is_asked_for() {
        let bodies = Bodies::default();
        let first = bodies.read("# A").await.unwrap();
        for n in 0..3 * KEPT {
            let again = bodies.read("# A").await.unwrap();
            assert!(Arc::ptr_eq(&first, &again));
            let other = bodies.read(&n.to_string()).await.unwrap();
            assert_eq!(other.lead(), n.to_string());
        }
        assert_eq!(lock(&bodies.known).len(), KEPT);
        for n in 0..KEPT {
            bodies.read(&format!("other {n}")).await.unwrap();
        }
        let later = bodies.read("# A").await.unwrap();
        assert!(!Arc::ptr_eq(&first, &later), "nobody asked for it for long");
    }

    // The test has a single thread: if the text were parsed on it, it would be ready at the first poll.
    #[tokio::test]
    async fn the_thread_that_asks_goes_on_meanwhile() {
        let bodies = Bodies::default();
        let text = "*a* ".repeat(50_000);
        let mut reading = pin!(bodies.read(&text));
        let at_once = std::future::poll_fn(|cx| Poll::Ready(reading.as_mut().poll(cx).is_ready()));
        assert!(!at_once.await);
        assert!(!reading.await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_client_that_hangs_up_keeps_its_turn_until_the_text_is_read() {
        let bodies = Bodies::default();
        let text = "*a* ".repeat(50_000);
        let reading = bodies.read(&text);
        tokio::select! {
            biased;
            _ = reading => panic!("ready at once"),
            () = std::future::ready(()) => {}
        }
        let _next = bodies.turn.lock().await;
        assert!(bodies.known(&text).is_some(), "read, and kept");
    }
}
