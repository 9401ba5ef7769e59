//! Log lines that would come with every request.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Says the same thing once a minute, however often it happens.
#[derive(Debug, Default)]
pub struct Sparing(Mutex<Option<(Instant, u64)>>);

impl Sparing {
    const EACH: Duration = Duration::from_secs(60);

    /// Of something that has not happened yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Whether it is to be said now: then how often it was left unsaid since it was said last.
    pub fn now(&self) -> Option<u64> {
        self.at(Instant::now())
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
}
