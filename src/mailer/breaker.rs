//! A relay's circuit breaker: while a relay is down or throttles us, all lanes leave it alone; then one lane tries it.
//!
//! *Closed* (mails flow) → *open* (unused until a set time) → *half-open* (one lane tries) → closed, or open for twice
//! as long. No mail spends an attempt meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::types::Random;

/// The shortest pause.
pub(super) const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// The pauses after a login that was refused for the second time in a row.
const FIRST_LOGIN: Duration = Duration::from_secs(15 * 60);
const LONGEST_LOGIN: Duration = Duration::from_secs(2 * 3_600);
/// How long a trial may take. After that, another lane may try.
const TRIAL: Duration = Duration::from_secs(60);
/// How often the lanes that wait for a trial check its result.
const LOOK: Duration = Duration::from_millis(250);

/// Why a breaker opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The relay cannot be reached, throttles us or refuses our mails.
    Usual,
    /// The relay refuses our login: many attempts could lock the account, and it mostly takes a person to mend it.
    Login,
}

impl Cause {
    /// The pause after so many failures in a row, and so many refused logins since one was accepted. The first login
    /// that is refused may be a hiccup of the relay's.
    fn pause(self, failures: u32, logins: u32) -> Duration {
        let doubled = |first: Duration, times: u32| first * 2u32.saturating_pow(times.min(8));
        match (self, logins) {
            (Self::Usual, _) | (Self::Login, 0) => doubled(FIRST, failures).min(LONGEST),
            (Self::Login, _) => doubled(FIRST_LOGIN, logins - 1).min(LONGEST_LOGIN),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// False while the breaker is closed, so that the usual case takes no lock.
    troubled: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// Refused logins since one was accepted.
    logins: u32,
    until: Option<Instant>,
    trial: Option<Instant>,
    words: String,
}

/// A snapshot of the breaker, for display.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) failures: u32,
    /// How long it stays open.
    pub(super) wait: Option<Duration>,
    /// Why it opened.
    pub(super) words: String,
}

impl Breaker {
    /// Whether a lane may use the relay now. Once the breaker is half-open, only the first lane that asks may, and the
    /// others wait for its result. That lane gets the instant that identifies its trial.
    ///
    /// # Errors
    /// How long to wait before asking again.
    pub(super) fn pass(&self, now: Instant) -> Result<Option<Instant>, Duration> {
        if !self.is_troubled() {
            return Ok(None);
        }
        let mut state = self.lock();
        if let Some(wait) = state.wait(now) {
            return Err(wait);
        }
        if state.failures == 0 {
            return Ok(None);
        }
        if state.trial.is_some_and(|since| now < since + TRIAL) {
            return Err(LOOK);
        }
        state.trial = Some(now);
        Ok(state.trial)
    }

    /// How long until a lane may ask. Changes nothing.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        if !self.is_troubled() {
            return None;
        }
        let state = self.lock();
        let trial = state.trial.is_some_and(|since| now < since + TRIAL);
        state.wait(now).or(trial.then_some(LOOK))
    }

    /// Opens the breaker: for 1 s at first, then twice as long each time, at most a minute; after a refused login much
    /// longer. Failures of several lanes at the same time count once. Returns the pause, or `None` if the breaker was
    /// open already.
    pub(super) fn open(
        &self,
        now: Instant,
        random: &Random,
        cause: Cause,
        words: &str,
    ) -> Option<Duration> {
        let mut state = self.lock();
        if state.wait(now).is_some() {
            return None;
        }
        let pause = cause.pause(state.failures, state.logins);
        let jitter = random.below(u64::try_from(pause.as_millis() / 4).unwrap_or(0));
        state.until = Some(now + pause + Duration::from_millis(jitter));
        state.failures = state.failures.saturating_add(1);
        if cause == Cause::Login {
            state.logins = state.logins.saturating_add(1);
        }
        state.trial = None;
        words.clone_into(&mut state.words);
        self.troubled.store(true, Ordering::Release);
        Some(pause)
    }

    /// The trial ended before it reached the relay: another lane may try.
    pub(super) fn not_tried(&self, trial: Instant) {
        let mut state = self.lock();
        if state.trial == Some(trial) {
            state.trial = None;
        }
    }

    /// Whether the breaker is open or half-open.
    pub(super) fn is_troubled(&self) -> bool {
        self.troubled.load(Ordering::Acquire)
    }

    /// Closes the breaker: the relay answered as it should. After a refused login it stays as it is, because the answer
    /// came over a connection from before: it does not show that a login would be accepted, but another lane may try.
    pub(super) fn close(&self) {
        if !self.is_troubled() {
            return;
        }
        let mut state = self.lock();
        if state.logins > 0 {
            state.trial = None;
        } else {
            *state = State::default();
            self.troubled.store(false, Ordering::Release);
        }
    }

    /// The relay accepted a login. The first mail over that connection closes the breaker.
    pub(super) fn logged_in(&self) {
        if self.is_troubled() {
            self.lock().logins = 0;
        }
    }

    pub(super) fn seen(&self, now: Instant) -> Seen {
        let state = self.lock();
        Seen {
            failures: state.failures,
            wait: state.wait(now),
            words: state.words.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn wait(&self, now: Instant) -> Option<Duration> {
        let wait = self.until?.checked_duration_since(now)?;
        (!wait.is_zero()).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_to_a_minute_and_end_with_a_success() {
        let (breaker, random) = (Breaker::default(), Random::seeded(1));
        let mut now = Instant::now();
        assert_eq!(breaker.pass(now), Ok(None));
        let mut rests = Vec::new();
        for _ in 0..9 {
            assert!(
                breaker
                    .open(now, &random, Cause::Usual, "421 busy")
                    .is_some()
            );
            assert!(
                breaker
                    .open(now, &random, Cause::Usual, "421 busy")
                    .is_none()
            );
            let wait = breaker.pass(now).unwrap_err();
            rests.push(wait.as_secs());
            now += wait;
            assert_eq!(breaker.wait(now), None);
        }
        assert!(rests[0] <= 2 && rests[..6].is_sorted(), "{rests:?}");
        assert!(
            rests[7..].iter().all(|s| (60..=75).contains(s)),
            "{rests:?}"
        );
        assert_eq!(breaker.seen(now).words, "421 busy");
        breaker.close();
        assert_eq!(breaker.seen(now), Seen::default());
        breaker.open(now, &random, Cause::Usual, "");
        assert!(breaker.wait(now).unwrap() < Duration::from_secs(2));
    }

    #[test]
    fn a_login_that_is_refused_again_is_not_tried_for_a_long_time() {
        let minutes = |logins| Cause::Login.pause(logins, logins).as_secs() / 60;
        let pauses: Vec<u64> = (0..7).map(minutes).collect();
        assert_eq!(pauses, [0, 15, 30, 60, 120, 120, 120]);
        assert_eq!(Cause::Login.pause(u32::MAX, u32::MAX), LONGEST_LOGIN);
    }

    /// Opens the breaker and returns when its pause ends.
    fn after_pause(breaker: &Breaker, now: Instant, cause: Cause) -> Instant {
        breaker.open(now, &Random::seeded(1), cause, "no");
        now + breaker.wait(now).unwrap()
    }

    #[test]
    fn failures_before_a_refused_login_do_not_count_as_refused_logins() {
        let (breaker, mut now) = (Breaker::default(), Instant::now());
        for _ in 0..5 {
            now = after_pause(&breaker, now, Cause::Usual);
        }
        let first = after_pause(&breaker, now, Cause::Login);
        assert!(first - now <= LONGEST, "{:?}", first - now);
        let second = after_pause(&breaker, first, Cause::Login);
        assert!(second - first >= FIRST_LOGIN, "{:?}", second - first);
        assert!(second - first < 2 * FIRST_LOGIN, "{:?}", second - first);
    }

    #[test]
    fn only_a_login_that_is_accepted_ends_the_rest_after_a_refused_one() {
        let (breaker, now) = (Breaker::default(), Instant::now());
        let later = after_pause(&breaker, now, Cause::Login);
        breaker.close();
        assert!(breaker.wait(now).is_some(), "a mail over an old connection");
        assert_eq!(breaker.pass(later), Ok(Some(later)));
        breaker.close();
        assert_eq!(breaker.pass(later), Ok(Some(later)), "another one tries");
        breaker.logged_in();
        assert_eq!(breaker.pass(later), Err(LOOK), "no mail has been accepted");
        breaker.close();
        assert_eq!(breaker.seen(later), Seen::default());
        let again = after_pause(&breaker, later, Cause::Login);
        assert!(again - later < 2 * FIRST, "the first refusal once more");
    }

    #[test]
    fn after_a_rest_one_lane_tries_and_the_others_wait_for_it() {
        let (breaker, random) = (Breaker::default(), Random::seeded(1));
        let mut now = Instant::now();
        breaker.open(now, &random, Cause::Usual, "gone");
        now += LONGEST;
        assert_eq!(breaker.pass(now), Ok(Some(now)));
        assert_eq!(breaker.pass(now), Err(LOOK));
        breaker.not_tried(now);
        assert_eq!(breaker.pass(now), Ok(Some(now)), "another one tries");
        assert_eq!(breaker.pass(now), Err(LOOK));
        let late = now + TRIAL;
        assert_eq!(
            breaker.pass(late),
            Ok(Some(late)),
            "the first never came back"
        );
        breaker.not_tried(now);
        assert_eq!(breaker.pass(late), Err(LOOK), "it does, too late");
        breaker.close();
        assert_eq!((breaker.pass(now), breaker.pass(now)), (Ok(None), Ok(None)));
    }
}
