//! The way into the ballot box: queues, each with a writer.
//!
//! SQLite has one writer. PostgreSQL gets two: while the commit of one waits for the disk or for an answer, the other goes on. Each has a
//! stripe of the counting tables and a chain of its own, as if it were another node; so it is no matter which one takes an answer. While
//! few answer, one does it all: two would only make the groups smaller.

use std::sync::Arc;

use super::slip::{Outcome, Slip};
use crate::db::Backend;
use crate::db::group_commit::{GroupCommit, Refused};

/// So many make a good group: the next writer gets what comes beyond.
const ENOUGH: usize = 64;

/// The writers of one process.
pub const fn number(backend: Backend) -> usize {
    match backend {
        Backend::Sqlite => 1,
        Backend::Postgres => 2,
    }
}

/// The queues. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Writers(Arc<[GroupCommit<Slip, Outcome>]>);

impl Writers {
    /// At least one.
    pub fn new(queues: impl Iterator<Item = GroupCommit<Slip, Outcome>>) -> Self {
        Self(queues.collect())
    }

    /// Waits until the slip is in the box.
    ///
    /// # Errors
    /// As [`GroupCommit::submit`].
    pub async fn submit(&self, slip: Slip) -> Result<Outcome, Refused> {
        let queues = &self.0;
        let free = queues.iter().find(|queue| queue.waiting() < ENOUGH);
        let least = || queues.iter().min_by_key(|queue| queue.waiting());
        match free.or_else(least) {
            Some(queue) => queue.submit(slip).await,
            None => Err(Refused::Busy),
        }
    }
}
