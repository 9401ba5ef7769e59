//! Several queues for one kind of request, each with a writer: PostgreSQL can run one commit while another waits.

use std::sync::Arc;
use std::time::Duration;

use super::{GroupCommit, Place, Pulse, Refused};

/// When the next writer gets work. While one writer can do it all, two would only make the groups smaller.
#[derive(Debug, Clone, Copy)]
pub struct Spill {
    /// The size of a good group: requests beyond it may go to the next queue.
    pub enough: usize,
    /// The commit duration from which a second writer helps, because the first waits for the disk. Where commits
    /// take processor time, another group costs more than a larger one.
    pub slow: Duration,
}

/// The queues. Cheap to clone.
#[derive(Debug)]
pub struct Lines<Req, Res> {
    /// At least one.
    queues: Arc<[GroupCommit<Req, Res>]>,
    spill: Spill,
}

impl<Req, Res> Clone for Lines<Req, Res> {
    fn clone(&self) -> Self {
        Self {
            queues: Arc::clone(&self.queues),
            spill: self.spill,
        }
    }
}

impl<Req, Res> Lines<Req, Res>
where
    Req: Clone + Send + Sync + 'static,
    Res: Send + 'static,
{
    /// Combines `queues`, of which there must be at least one.
    pub fn new(spill: Spill, queues: impl Iterator<Item = GroupCommit<Req, Res>>) -> Self {
        Self {
            queues: queues.collect(),
            spill,
        }
    }

    /// Queues `request` and waits until it is committed.
    ///
    /// # Errors
    /// As [`GroupCommit::submit`].
    pub async fn submit(&self, request: Req) -> Result<Res, Refused> {
        match self.next() {
            Some((queue, place)) => queue.submit_in(place, request).await,
            None => Err(self.full()),
        }
    }

    /// All queues are full, which is recorded as a refusal of the first.
    fn full(&self) -> Refused {
        let first = self.queues.first();
        first.map_or(Refused::Busy, |queue| queue.refusals.full())
    }

    /// Like [`submit`](Self::submit), but waits as long as it takes. For background work that has a limit of its
    /// own.
    ///
    /// # Errors
    /// As [`GroupCommit::submit_waiting`].
    pub async fn submit_waiting(&self, request: Req) -> Result<Res, Refused> {
        match (self.next(), self.queues.first()) {
            (Some((queue, place)), _) => queue.submit_patiently(place, request).await,
            (None, Some(queue)) => queue.submit_waiting(request).await,
            (None, None) => Err(Refused::Busy),
        }
    }

    /// How many requests are waiting in all queues, not counting those being written.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queues.iter().map(GroupCommit::waiting).sum()
    }

    /// The pulses of the writers.
    #[must_use]
    pub fn pulses(&self) -> Vec<Pulse> {
        self.queues.iter().map(GroupCommit::pulse).collect()
    }

    /// A place for the next request: in the first queue that can take it, or in a rush in the shortest. Other
    /// requests arrive at the same time and may take that place first; then any queue with room will do. `None` if
    /// all are full.
    fn next(&self) -> Option<(&GroupCommit<Req, Res>, Place)> {
        let Spill { enough, slow } = self.spill;
        let suffices = |queue: &&GroupCommit<Req, Res>| {
            queue.waiting() < enough || (queue.pace() < slow && !queue.is_full())
        };
        let shortest = || self.queues.iter().min_by_key(|queue| queue.waiting());
        let in_first = self.queues.iter().filter(suffices);
        in_first
            .chain(shortest())
            .chain(self.queues.iter())
            .find_map(|queue| queue.place().map(|place| (queue, place)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;
    use crate::db::group_commit::Queue;

    const ENOUGH: usize = 64;
    const ALWAYS: Spill = Spill {
        enough: ENOUGH,
        slow: Duration::ZERO,
    };

    /// Two queues whose writers never finish; `capacity` requests may wait in each.
    fn stuck(capacity: usize, spill: Spill) -> Lines<usize, usize> {
        let queue = Queue {
            name: "test",
            capacity,
            largest: 1,
        };
        let start = |()| GroupCommit::start(queue, |_| std::future::pending());
        Lines::new(spill, [(); 2].map(start).into_iter())
    }

    /// How many requests wait in each queue after `slips` of them came one by one.
    async fn waiting_after(slips: usize, lines: &Lines<usize, usize>) -> [usize; 2] {
        for slip in 0..slips {
            let (queue, place) = lines.next().expect("a place");
            let queue = queue.clone();
            tokio::spawn(async move { queue.submit_in(place, slip).await });
            tokio::task::yield_now().await;
        }
        [lines.queues[0].waiting(), lines.queues[1].waiting()]
    }

    #[tokio::test]
    async fn the_second_queue_gets_what_is_too_much_for_the_first() {
        let lines = stuck(10 * ENOUGH, ALWAYS);
        // One more than those that wait is being written.
        assert_eq!(waiting_after(ENOUGH + 1, &lines).await, [ENOUGH, 0]);
        assert_eq!(waiting_after(ENOUGH, &lines).await, [ENOUGH, ENOUGH - 1]);
    }

    #[tokio::test]
    async fn a_full_queue_does_not_keep_slips_from_the_second() {
        for capacity in [1, 3, ENOUGH - 1, ENOUGH] {
            let lines = stuck(capacity, ALWAYS);
            let slips = 2 * (capacity + 1);
            let waiting = waiting_after(slips, &lines).await;
            assert_eq!(waiting, [capacity; 2], "room for {capacity}");
        }
    }

    /// The chosen queue may be full by the time a place is taken; a request is refused only if every queue is full.
    #[tokio::test]
    async fn those_who_come_at_the_same_time_get_every_place_there_is() {
        const THREADS: usize = 8;
        for round in 0..200 {
            let (lines, start) = (stuck(64, ALWAYS), Barrier::new(THREADS));
            let taken: usize = std::thread::scope(|scope| {
                let takes = || {
                    start.wait();
                    let places = (0..2 * 64 / THREADS).map(|_| lines.next());
                    // Held until all threads have tried.
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

    #[tokio::test]
    async fn a_quick_first_queue_gets_all_that_it_has_room_for() {
        let patient = Spill {
            enough: ENOUGH,
            slow: Duration::from_millis(3),
        };
        let lines = stuck(3 * ENOUGH, patient);
        assert_eq!(waiting_after(2 * ENOUGH + 1, &lines).await, [2 * ENOUGH, 0]);
        // The first is full: the second takes the rest.
        assert_eq!(
            waiting_after(2 * ENOUGH + 1, &lines).await,
            [3 * ENOUGH, ENOUGH]
        );
    }

    #[tokio::test]
    async fn a_slow_first_queue_shares_what_is_too_much_for_it() {
        let queue = Queue {
            name: "test",
            capacity: 1_000,
            largest: 1,
        };
        let slow = Spill {
            enough: 1,
            slow: Duration::from_millis(3),
        };
        let takes = Duration::from_millis(20);
        let start = |()| {
            GroupCommit::start(queue, move |group: Vec<usize>| async move {
                tokio::time::sleep(takes).await;
                Ok(group)
            })
        };
        let lines = Lines::new(slow, [(); 2].map(start).into_iter());
        // One by one, so that the first queue measures that it is slow.
        for n in 0..20 {
            lines.submit(n).await.expect("a commit");
        }
        assert!(lines.queues[0].pace() >= slow.slow);
        assert!(waiting_after(20, &lines).await[1] > 0);
    }
}
