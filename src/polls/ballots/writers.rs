//! The way into the ballot box: queues, each with a writer.
//!
//! SQLite has one writer. PostgreSQL gets two: while the commit of one waits for the disk or for an answer, the other goes on. Each has a
//! stripe of the counting tables and a chain of its own, as if it were another node; so it is no matter which one takes an answer. While
//! few answer, one does it all: two would only make the groups smaller.

use std::sync::Arc;

use super::slip::{Outcome, Slip};
use crate::db::Backend;
use crate::db::group_commit::{GroupCommit, Place, Refused};

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
            Some((queue, place)) => queue.submit_in(place, slip).await,
            None => Err(Refused::Busy),
        }
    }
}

/// A place for the next slip: in the first queue in which few wait, and in a rush in the shortest. A look may be out of date when the place
/// is taken, since others come at the same time: then it is any queue that has room. `None`: all are full.
fn next<Req, Res>(queues: &[GroupCommit<Req, Res>]) -> Option<(&GroupCommit<Req, Res>, Place)>
where
    Req: Clone + Send + Sync + 'static,
    Res: Send + 'static,
{
    let has_few = |queue: &&GroupCommit<Req, Res>| queue.waiting() < ENOUGH;
    let shortest = || queues.iter().min_by_key(|queue| queue.waiting());
    let in_few = queues.iter().filter(has_few);
    in_few
        .chain(shortest())
        .chain(queues)
        .find_map(|queue| queue.place().map(|place| (queue, place)))
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

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
            let (queue, place) = next(queues).expect("a place");
            let queue = queue.clone();
            tokio::spawn(async move { queue.submit_in(place, slip).await });
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

    /// What was looked at has changed by the time a place is taken; whoever comes is refused only where every queue is full.
    #[tokio::test]
    async fn those_who_come_at_the_same_time_get_every_place_there_is() {
        const THREADS: usize = 8;
        for round in 0..200 {
            let (queues, start) = (stuck(64), Barrier::new(THREADS));
            let taken: usize = std::thread::scope(|scope| {
                let takes = || {
                    start.wait();
                    let places = (0..2 * 64 / THREADS).map(|_| next(&queues));
                    // Held until all have tried.
                    let places: Vec<_> = places.collect();
                    start.wait();
                    places.into_iter().flatten().count()
                };
                let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(takes)).collect();
                let each = threads.into_iter().map(|thread| thread.join());
                each.map(|n| n.expect("no thread panics")).sum()
            });
            assert_eq!(taken, 2 * 64, "round {round}");
        }
    }
}
