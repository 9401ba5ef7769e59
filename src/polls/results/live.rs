//! Results while they change: one reader of the tally for each watched poll, whatever the number of viewers.
//!
//! At most four readings a second, conflated; nothing runs for a poll that nobody watches. Ballots of other nodes are
//! seen by looking once a second.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::Results;
use super::store;
use crate::db::Db;
use crate::polls::definition::Book;
use crate::polls::model::{Phase, Poll};
use crate::types::{Clock, PollId};
use crate::web::held::event;

const PAUSE: Duration = Duration::from_millis(250);
const LOOK: Duration = Duration::from_secs(1);

/// The polls that are being watched.
#[derive(Debug, Clone)]
pub struct Live {
    db: Db,
    book: Arc<Book>,
    clock: Clock,
    stopping: CancellationToken,
    watched: Arc<Mutex<HashMap<PollId, Watched>>>,
}

#[derive(Debug)]
struct Watched {
    latest: watch::Sender<Option<Bytes>>,
    touched: Arc<Notify>,
}

impl Live {
    pub fn new(db: Db, book: Arc<Book>, clock: Clock, stopping: CancellationToken) -> Self {
        Self {
            db,
            book,
            clock,
            stopping,
            watched: Arc::default(),
        }
    }

    /// Results of `poll` as JSON in an event, now and whenever they change; ended when the poll has closed, when nobody may see them any more,
    /// and when the process stops.
    pub fn watch(&self, poll: &Arc<Poll>) -> watch::Receiver<Option<Bytes>> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = watched.get(&poll.id) {
            return known.latest.subscribe();
        }
        let (latest, viewer) = watch::channel(None);
        let touched = Arc::new(Notify::new());
        watched.insert(
            poll.id,
            Watched {
                latest: latest.clone(),
                touched: touched.clone(),
            },
        );
        let live = self.clone();
        let poll = poll.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = live.stopping.cancelled() => {}
                () = live.follow(&poll, &latest, &touched) => {}
            }
            live.forget(poll.id, &touched);
        });
        viewer
    }

    /// Says that ballots of these polls were committed.
    pub fn touch(&self, polls: impl Iterator<Item = PollId>) {
        let watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.is_empty() {
            return;
        }
        for poll in polls {
            if let Some(known) = watched.get(&poll) {
                known.touched.notify_one();
            }
        }
    }

    async fn follow(&self, poll: &Poll, latest: &watch::Sender<Option<Bytes>>, touched: &Notify) {
        let mut was_closed = false;
        loop {
            // As it is now: an editor may have closed or hidden it meanwhile.
            let Ok(current) = self.book.poll(&poll.slug).await else {
                tokio::time::sleep(LOOK).await;
                if self.is_unwatched(poll.id) {
                    return;
                }
                continue;
            };
            let now = self.clock.now();
            let Some(poll) = current.filter(|poll| poll.shows_results(now, true)) else {
                return;
            };
            let is_closed = matches!(poll.phase(now), Phase::Closed { .. });
            match store::totals(&self.db, &poll).await {
                Ok(totals) => {
                    let json = serde_json::to_string(&Results::of(&poll, &totals, &[]))
                        .unwrap_or_default();
                    let event = Some(event(&json));
                    latest.send_if_modified(|old| {
                        let changed = *old != event;
                        if changed {
                            *old = event;
                        }
                        changed
                    });
                }
                Err(error) => tracing::warn!(%error, "live results could not be read"),
            }
            // A ballot that was let in just before the close may still be on its way: one more look, and that was it.
            if was_closed {
                return;
            }
            was_closed = is_closed;
            tokio::time::sleep(PAUSE).await;
            tokio::select! {
                () = touched.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
            if self.is_unwatched(poll.id) {
                return;
            }
        }
    }

    /// Forgets a poll that nobody watches any more, under the lock under which viewers come.
    fn is_unwatched(&self, poll: PollId) -> bool {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let unwatched = watched
            .get(&poll)
            .is_none_or(|known| known.latest.receiver_count() == 0);
        if unwatched {
            watched.remove(&poll);
        }
        unwatched
    }

    /// Ends the stream, unless another has begun in its place.
    fn forget(&self, poll: PollId, ended: &Arc<Notify>) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if watched
            .get(&poll)
            .is_some_and(|known| Arc::ptr_eq(&known.touched, ended))
        {
            watched.remove(&poll);
        }
    }
}
