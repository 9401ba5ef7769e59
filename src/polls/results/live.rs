//! Live results: one reader of the tally for each watched poll, whatever the number of viewers.
//!
//! The tally is read at most four times a second, however many votes there are. Nothing runs for a poll that nobody
//! watches. Ballots of other nodes are found by polling once a second.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Results;
use super::store;
use crate::db::{Db, DbErr, Sparing};
use crate::polls::definition::Book;
use crate::polls::model::{Phase, Poll};
use crate::types::{Clock, PollId};
use crate::web::held::event;
use crate::web::watched::{Followed, Watched};

const PAUSE: Duration = Duration::from_millis(250);
const LOOK: Duration = Duration::from_secs(1);

/// The polls with viewers.
#[derive(Debug, Clone)]
pub struct Live {
    db: Db,
    book: Arc<Book>,
    clock: Clock,
    watched: Watched<PollId, Bytes>,
}

impl Live {
    pub fn new(db: Db, book: Arc<Book>, clock: Clock, stopping: &CancellationToken) -> Self {
        Self {
            db,
            book,
            clock,
            watched: Watched::until(stopping),
        }
    }

    /// The results of `poll` as JSON in an event, now and whenever they change. Ends when the poll has closed, when
    /// nobody may see its results any more, and when the process stops.
    pub fn watch(&self, poll: &Arc<Poll>) -> watch::Receiver<Option<Bytes>> {
        let (live, poll) = (self.clone(), poll.clone());
        self.watched
            .watch(poll.id, "live_results", |followed| async move {
                live.follow(&poll, &followed).await;
            })
    }

    /// Announces that ballots of these polls were committed.
    pub fn touch(&self, polls: impl Iterator<Item = PollId>) {
        self.watched.touch(polls);
    }

    async fn follow(&self, poll: &Poll, followed: &Arc<Followed<Bytes>>) {
        let is_unwatched = |poll| self.watched.forget_alone(poll, followed);
        let mut was_closed = false;
        loop {
            // The current definition: an editor may have closed or hidden the poll meanwhile.
            let current = match self.book.poll(&poll.slug).await {
                Ok(current) => current,
                Err(error) => {
                    log(poll, &error);
                    tokio::time::sleep(LOOK).await;
                    if is_unwatched(poll.id) {
                        return;
                    }
                    continue;
                }
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
                    followed.tell(event(&json));
                }
                Err(error) => log(&poll, &error),
            }
            // A ballot accepted just before the close may still be on its way, so the tally is read
            // once more after the close.
            if was_closed {
                return;
            }
            was_closed = is_closed;
            tokio::time::sleep(PAUSE).await;
            tokio::select! {
                () = followed.touched() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
            if is_unwatched(poll.id) {
                return;
            }
        }
    }
}

/// Logs that a poll's viewers see no change. Once a minute, because each watched poll is read once a second.
fn log(poll: &Poll, error: &DbErr) {
    static LOGGED: Sparing = Sparing::new();
    if let Some(unsaid) = LOGGED.now() {
        tracing::warn!(poll = poll.slug, %error, unsaid, "live results could not be read; trying again");
    }
}
