//! Single mails overtake issues: a lane looks for them between two mails of a batch, one lane at a time and not after
//! every mail.
//!
//! After the bell has rung, the next lane looks at once. Otherwise one lane looks four times a second, which also finds
//! the mails that another node enqueued.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

const LOOK: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(super) struct Urgent {
    start: Instant,
    /// When the next look is due, in milliseconds since `start`.
    next: AtomicU64,
    /// How often the bell had rung at the last look.
    heard: AtomicU64,
}

impl Default for Urgent {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            next: AtomicU64::new(0),
            heard: AtomicU64::new(0),
        }
    }
}

impl Urgent {
    /// Whether this lane should look now. `rung`: how often the [`Bell`](crate::db::Bell) has rung.
    pub(super) fn my_turn(&self, now: Instant, rung: u64) -> bool {
        if self.heard.fetch_max(rung, Ordering::AcqRel) < rung {
            self.next.store(0, Ordering::Release);
        }
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
        assert!(urgent.my_turn(now, 0) && !urgent.my_turn(now, 0));
        assert!(urgent.my_turn(now, 1) && !urgent.my_turn(now, 1));
        assert!(!urgent.my_turn(now + LOOK - Duration::from_millis(2), 1));
        assert!(urgent.my_turn(now + LOOK, 1));
    }
}
