//! Decides what to do about a slot when its time has come, or has passed while no server was running.

use std::time::Duration;

use jiff::Timestamp;

/// A missed slot is still served if it is at most this late; after that a person decides.
pub const LATEST: Duration = Duration::from_secs(24 * 60 * 60);

/// What to do about a slot now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Its time has not come yet.
    NotYet,
    /// Its time is now, or was at most `latest` ago.
    Now,
    /// It was missed by more than that: yesterday's news is held for a person to decide on.
    TooLate,
}

/// Decides about a slot that was planned for `planned`, as of `now`.
pub fn judge(planned: Timestamp, now: Timestamp, latest: Duration) -> Due {
    let late = now
        .as_millisecond()
        .saturating_sub(planned.as_millisecond());
    if late < 0 {
        Due::NotYet
    } else if u128::try_from(late).unwrap_or(0) <= latest.as_millis() {
        Due::Now
    } else {
        Due::TooLate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn early_punctual_late_and_too_late() {
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        let planned = at(1_000_000);
        let day = 24 * 60 * 60 * 1000;
        assert_eq!(judge(planned, at(999_999), LATEST), Due::NotYet);
        assert_eq!(judge(planned, at(1_000_000), LATEST), Due::Now);
        assert_eq!(judge(planned, at(1_000_000 + day), LATEST), Due::Now);
        assert_eq!(judge(planned, at(1_000_001 + day), LATEST), Due::TooLate);
    }
}
