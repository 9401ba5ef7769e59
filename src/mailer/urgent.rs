//! Single mails overtake issues: a lane looks for them between two mails of a batch, one lane at a time and not for every
//! mail.
//!
//! A nudge makes the next lane look at once; without one somebody looks four times a second, which also finds what another
//! node enqueued, and what was not committed yet when it was announced.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

const LOOK: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(super) struct Urgent {
    start: Instant,
    /// Milliseconds from `start` on.
    next: AtomicU64,
}

impl Default for Urgent {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            next: AtomicU64::new(0),
        }
    }
}

impl Urgent {
    /// Somebody may wait for a mail.
    pub(super) fn nudge(&self) {
        self.next.store(0, Ordering::Release);
    }

    /// Whether it is this lane that looks now.
    pub(super) fn my_turn(&self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.start);
        let millis = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        let next = self.next.load(Ordering::Acquire);
        if millis < next {
            return false;
        }
        let then = millis + LOOK.as_millis() as u64;
        let swap = self
            .next
            .compare_exchange(next, then, Ordering::AcqRel, Ordering::Relaxed);
        swap.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_lane_looks_and_the_others_go_on() {
        let urgent = Urgent::default();
        let now = Instant::now() + Duration::from_secs(1);
        assert!(urgent.my_turn(now) && !urgent.my_turn(now));
        urgent.nudge();
        assert!(urgent.my_turn(now) && !urgent.my_turn(now));
        assert!(!urgent.my_turn(now + LOOK - Duration::from_millis(2)));
        assert!(urgent.my_turn(now + LOOK));
    }
}
