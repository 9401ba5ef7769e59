//! A clock that is believed only after it has run on for a while.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Clock, UnixMillis};

/// Clocks that are corrected by less, in milliseconds, still count as running on.
const SET_MS: u64 = 60_000;

/// The time for what cannot be taken back: known only if the clock was not set for some time. A clock that is a year
/// ahead for a minute has been set, and one that starts with a wrong time will soon be.
///
/// It compares the clock with monotonic time whenever it is asked, and counts from the first question after a change.
#[derive(Debug)]
pub struct SteadyClock {
    clock: Clock,
    proof: Duration,
    last: Mutex<LastSet>,
}

#[derive(Debug)]
struct LastSet {
    /// The clock less the monotonic time, in milliseconds.
    ahead: i64,
    /// The monotonic time when this was first seen.
    seen: Duration,
}

impl SteadyClock {
    /// `clock` is believed once it has run for `proof` without being set.
    #[must_use]
    pub fn new(clock: Clock, proof: Duration) -> Self {
        let (now, passed) = clock.both();
        let last = Mutex::new(LastSet {
            ahead: ahead(now, passed),
            seen: passed,
        });
        Self { clock, proof, last }
    }

    /// The time now, if it can be believed.
    #[must_use]
    pub fn now(&self) -> Option<UnixMillis> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (now, passed) = self.clock.both();
        let ahead = ahead(now, passed);
        if ahead.abs_diff(last.ahead) > SET_MS {
            *last = LastSet {
                ahead,
                seen: passed,
            };
        }
        (passed.saturating_sub(last.seen) >= self.proof).then_some(now)
    }
}

fn ahead(now: UnixMillis, passed: Duration) -> i64 {
    (now - passed).0
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_clock_is_believed_an_hour_after_it_was_set() {
        let clock = Clock::manual(UnixMillis(1_000_000_000));
        clock.advance(MINUTE);
        let steady = SteadyClock::new(clock.clone(), MINUTE * 60);
        let after = |minutes: u32| {
            clock.advance(MINUTE * minutes);
            steady.now()
        };
        assert_eq!(after(59), None, "just started");
        assert_eq!(after(1), Some(clock.now()));
        // It is corrected by seconds.
        clock.set(clock.now() + MINUTE / 2);
        assert_eq!(after(0), Some(clock.now()));
        let right = clock.now();
        clock.set(right + MINUTE * 500_000);
        assert_eq!(after(0), None, "it jumped ahead");
        assert_eq!(after(59), None);
        clock.set(right + MINUTE * 59);
        assert_eq!(after(0), None, "and back");
        assert_eq!(after(59), None);
        assert_eq!(after(1), Some(clock.now()));
    }
}
