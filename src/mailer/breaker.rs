//! A relay that is down or wants a rest is left alone for a while, by all lanes.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::types::Random;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    until: Option<Instant>,
}

impl Breaker {
    /// How long a lane has to wait before it may try.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        let until = self.lock().until?;
        until
            .checked_duration_since(now)
            .filter(|wait| !wait.is_zero())
    }

    /// Opens: from 1 s, twice as long each time, at most a minute. Lanes that fail at the same time count once.
    pub(super) fn open(&self, now: Instant, random: &Random) {
        let mut state = self.lock();
        if state.until.is_some_and(|until| until > now) {
            return;
        }
        let pause = (FIRST * 2u32.saturating_pow(state.failures.min(8))).min(LONGEST);
        let jitter = random.below(u64::try_from(pause.as_millis() / 4).unwrap_or(0));
        state.until = Some(now + pause + Duration::from_millis(jitter));
        state.failures = state.failures.saturating_add(1);
        metrics::counter!("canvass_relay_rests_total").increment(1);
        tracing::warn!(
            seconds = pause.as_secs(),
            "the relay is left alone for a while"
        );
    }

    /// A mail was taken: all is well.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        if state.failures > 0 {
            *state = State::default();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_to_a_minute_and_end_with_a_success() {
        let (breaker, random) = (Breaker::default(), Random::seeded(1));
        let mut now = Instant::now();
        let mut rests = Vec::new();
        for _ in 0..9 {
            breaker.open(now, &random);
            breaker.open(now, &random);
            let wait = breaker.wait(now).unwrap();
            rests.push(wait.as_secs());
            now += wait;
            assert_eq!(breaker.wait(now), None);
        }
        assert!(rests[0] <= 2 && rests[..6].is_sorted(), "{rests:?}");
        assert!(
            rests[7..].iter().all(|s| (60..=75).contains(s)),
            "{rests:?}"
        );
        breaker.close();
        breaker.open(now, &random);
        assert!(breaker.wait(now).unwrap() < Duration::from_secs(2));
    }
}
