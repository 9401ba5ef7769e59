//! A cache of parsed bodies.
//!
//! Parsing 200 kB takes a tenth of a second of CPU time, and anybody may request a page of the archive as often as
//! they like. So a text is parsed once while it is in demand, by one thread at a time, and never on a thread that
//! serves requests.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

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
    known: Mutex<VecDeque<Known>>,
    turn: tokio::sync::Mutex<()>,
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
        let _turn = self.turn.lock().await;
        // Another caller may have parsed the same text while this one waited.
        if let Some(body) = self.known(markdown) {
            return Ok(body);
        }
        let text = markdown.to_owned();
        let reading = tokio::task::spawn_blocking(move || {
            let body = Arc::new(Body::parse(&text));
            (text, body)
        });
        let (text, body) = reading.await.map_err(|_| Broke)?;
        let mut known = self.lock();
        known.push_front((text, Arc::clone(&body)));
        known.truncate(KEPT);
        Ok(body)
    }

    fn known(&self, markdown: &str) -> Option<Arc<Body>> {
        let mut known = self.lock();
        let at = known.iter().position(|(text, _)| text == markdown)?;
        let found = known.remove(at)?;
        let body = Arc::clone(&found.1);
        known.push_front(found);
        Some(body)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        assert_eq!(bodies.lock().len(), KEPT);
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
}
