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
        match next(&self.0) {
            Some(queue) => queue.submit(slip).await,
            None => Err(Refused::Busy),
        }
    }
}

/// The queue for the next slip: the first in which few wait, and in a rush the shortest. A queue that is full is never one in which few
/// wait, however small it is: else nothing would reach those behind it.
fn next<Req, Res>(queues: &[GroupCommit<Req, Res>]) -> Option<&GroupCommit<Req, Res>>
where
    Req: Clone + Send + Sync + 'static,
    Res: Send + 'static,
{
    let has_few = |queue: &&GroupCommit<Req, Res>| queue.waiting() < ENOUGH.min(queue.capacity());
    let shortest = || queues.iter().min_by_key(|queue| queue.waiting());
    queues.iter().find(has_few).or_else(shortest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::db::group_commit::Queue;

    /// Two queues whose writers never end; `capacity` may wait in each.
    fn stuck(capacity: usize) -> [GroupCommit<usize, usize>; 2] {
        let queue = Queue {
            name: "test",
            capacity,
            largest: 1,
            gathers: false,
        };
        [(); 2].map(|()| GroupCommit::start(queue, |_| std::future::pending()))
    }

    /// How many wait in each queue after `slips` came one by one.
    async fn waiting_after(slips: usize, queues: &[GroupCommit<usize, usize>; 2]) -> [usize; 2] {
        for slip in 0..slips {
            let queue = next(queues).expect("a queue").clone();
            tokio::spawn(async move { queue.submit(slip).await });
            tokio::task::yield_now().await;
        }
        [queues[0].waiting(), queues[1].waiting()]
    }

    #[tokio::test]
    async fn the_second_queue_gets_what_is_too_much_for_the_first() {
        let queues = stuck(10 * ENOUGH);
        // One more than waits is being written.
        assert_eq!(waiting_after(ENOUGH + 1, &queues).await, [ENOUGH, 0]);
        assert_eq!(waiting_after(ENOUGH, &queues).await, [ENOUGH, ENOUGH - 1]);
    }

    #[tokio::test]
    async fn a_full_queue_does_not_keep_slips_from_the_second() {
        for capacity in [1, 3, ENOUGH - 1, ENOUGH] {
            let queues = stuck(capacity);
            let slips = 2 * (capacity + 1);
            let waiting = waiting_after(slips, &queues).await;
            assert_eq!(waiting, [capacity; 2], "room for {capacity}");
        }
    }
}
