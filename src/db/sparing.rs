//! Rate limit for log lines that would otherwise come with every request.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sea_orm::DbErr;
use tokio::time::Instant;

use super::is_unwritable;

/// Allows a message once a minute, however often its cause occurs.
#[derive(Debug, Default)]
pub struct Sparing(Mutex<Option<(Instant, u64)>>);

impl Sparing {
    const EACH: Duration = Duration::from_secs(60);

    /// For a cause that has not occurred yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// If the message is due now, the number of times it was suppressed since it was last logged.
    pub fn now(&self) -> Option<u64> {
        self.at(Instant::now())
    }

    /// Whether to log this failure of background work: while the database cannot be written, once a minute, because the
    /// work is tried again every moment; any other failure always.
    pub fn lets(&self, error: &DbErr) -> bool {
        !is_unwritable(error) || self.now().is_some()
    }

    fn at(&self, now: Instant) -> Option<u64> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *said {
            Some((at, unsaid)) if now.duration_since(*at) < Self::EACH => {
                *unsaid += 1;
                None
            }
            before => {
                let unsaid = before.map_or(0, |(_, unsaid)| unsaid);
                *before = Some((now, 0));
                Some(unsaid)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_thing_is_said_once_a_minute_with_how_often_it_was_not() {
        let told = Sparing::new();
        let begun = Instant::now();
        assert_eq!(told.at(begun), Some(0));
        assert_eq!(
            (told.at(begun), told.at(begun + Sparing::EACH / 2)),
            (None, None)
        );
        assert_eq!(told.at(begun + Sparing::EACH), Some(2));
        assert_eq!(told.at(begun + Sparing::EACH), None);
    }

    #[test]
    fn only_a_database_that_cannot_be_written_is_told_of_sparingly() {
        let told = Sparing::new();
        let gone = DbErr::ConnectionAcquire(sea_orm::ConnAcquireErr::Timeout);
        assert!(told.lets(&gone) && !told.lets(&gone));
        let other = DbErr::Custom("a bug".to_owned());
        assert!(told.lets(&other) && told.lets(&other));
    }
}
