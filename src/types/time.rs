//! Instants in milliseconds since the Unix epoch, and the clock that provides them.

use std::fmt;
use std::ops::{Add, Sub};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// An instant: milliseconds since 1970-01-01T00:00:00Z. Stored as such in every table.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    sea_orm::DeriveValueType,
)]
#[serde(transparent)]
pub struct UnixMillis(pub i64);

impl UnixMillis {
    /// This instant in UTC, for calendars and headers. Instants outside jiff's range
    /// (years −9999 to 9999) are clamped to its ends.
    #[must_use]
    pub fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        })
    }

    /// The beginning of its hour, the resolution of counters over time.
    #[must_use]
    pub fn hour(self) -> Self {
        const HOUR_MS: i64 = 3_600_000;
        Self(self.0.saturating_sub(self.0.rem_euclid(HOUR_MS)))
    }

    /// The time from `earlier` to this instant; zero if `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl From<jiff::Timestamp> for UnixMillis {
    fn from(at: jiff::Timestamp) -> Self {
        Self(at.as_millisecond())
    }
}

impl Add<Duration> for UnixMillis {
    type Output = Self;
    fn add(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

impl Sub<Duration> for UnixMillis {
    type Output = Self;
    fn sub(self, by: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

/// ISO 8601 in UTC with milliseconds.
impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.timestamp())
    }
}

/// The source of time: the machine, or a test.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's wall clock.
    System,
    /// A clock that stands still until a test moves it. Clones share its state.
    Manual(Arc<Hands>),
}

/// The state of a manual clock.
#[derive(Debug)]
pub struct Hands {
    /// What it would show if no time had passed.
    began: AtomicI64,
    /// Milliseconds it was advanced in all. Setting the time does not count as passing time.
    passed: AtomicI64,
}

/// When the process first asked how much time has passed, the zero of [`Clock::passed`].
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock {
    /// A clock that stands at `start`.
    #[must_use]
    pub fn manual(start: UnixMillis) -> Self {
        Self::Manual(Arc::new(Hands {
            began: AtomicI64::new(start.0),
            passed: AtomicI64::new(0),
        }))
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> UnixMillis {
        match self {
            Self::System => {
                #[expect(clippy::disallowed_methods, reason = "this is the one clock")]
                let now = std::time::SystemTime::now();
                let since = now.duration_since(std::time::UNIX_EPOCH);
                UnixMillis(since.map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX)))
            }
            Self::Manual(_) => self.both().0,
        }
    }

    /// [`now`](Self::now) and [`passed`](Self::passed) at one moment: a clock that is advanced in between looks the same
    /// in both.
    #[must_use]
    pub fn both(&self) -> (UnixMillis, Duration) {
        match self {
            Self::System => (self.now(), self.passed()),
            Self::Manual(hands) => {
                let passed = hands.passed.load(Ordering::SeqCst);
                let now = hands.began.load(Ordering::SeqCst).saturating_add(passed);
                (
                    UnixMillis(now),
                    Duration::from_millis(passed.unsigned_abs()),
                )
            }
        }
    }

    /// The time since some fixed moment of this process. Monotonic: it does not jump when the machine's clock is
    /// set. For measuring spans that need not outlive the process.
    #[must_use]
    pub fn passed(&self) -> Duration {
        match self {
            Self::System => BEGAN.elapsed(),
            Self::Manual(_) => self.both().1,
        }
    }

    /// Advances a manual clock; does nothing to the machine's clock.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(hands) = self {
            let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            hands.passed.fetch_add(by, Ordering::SeqCst);
        }
    }

    /// Sets a manual clock, forwards or backwards, like setting a machine's clock: no time passes. Does nothing to
    /// the machine's clock.
    pub fn set(&self, at: UnixMillis) {
        if let Self::Manual(hands) = self {
            let passed = hands.passed.load(Ordering::SeqCst);
            hands
                .began
                .store(at.0.saturating_sub(passed), Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_iso_8601_with_milliseconds() {
        assert_eq!(
            UnixMillis(1_700_000_000_123).to_string(),
            "2023-11-14T22:13:20.123Z"
        );
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(
            UnixMillis(i64::MAX) + Duration::from_secs(1),
            UnixMillis(i64::MAX)
        );
        assert_eq!(UnixMillis(5).since(UnixMillis(9)), Duration::ZERO);
    }

    #[test]
    fn clones_of_a_manual_clock_share_the_hand() {
        let clock = Clock::manual(UnixMillis(1));
        clock.clone().advance(Duration::from_millis(4));
        assert_eq!(clock.now(), UnixMillis(5));
    }

    #[test]
    fn a_clock_that_is_set_lets_no_time_pass() {
        let clock = Clock::manual(UnixMillis(1_000));
        clock.advance(Duration::from_millis(4));
        clock.set(UnixMillis(7));
        assert_eq!(
            (clock.now(), clock.passed()),
            (UnixMillis(7), Duration::from_millis(4))
        );
        let earlier = Clock::System.passed();
        assert!(Clock::System.passed() >= earlier);
    }
}
