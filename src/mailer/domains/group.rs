//! One provider: how many mails may be in flight to it, and when it is paused.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::providers::Limits;
use crate::{
    mailer::{pace::Pace, status::DomainStatus},
    types::{Random, UnixMillis},
};

/// The first pause after a throttling reply; it doubles each time.
const REST: Duration = Duration::from_secs(5);
const LONGEST_REST: Duration = Duration::from_secs(30 * 60);
/// When to try again if a provider is full.
const FULL: Duration = Duration::from_millis(500);
/// How far mails may run ahead of the rate limit.
const BURST: Duration = Duration::from_secs(1);
/// A provider with a shorter mean time per mail, in seconds, never counts as slow.
const SLOW: f64 = 0.5;
/// A provider is slow if its mean time is more than this many times that of the quickest.
const SLOWER: f64 = 4.0;
/// The weight of the newest mail in the moving average.
const NEWEST: f64 = 0.2;
/// A limit that has grown beyond this is lifted.
const PLENTY: f64 = 200.0;
/// How long a mean time stays valid for comparison.
pub(super) const RECENT: Duration = Duration::from_secs(60);

/// A provider, or a domain that is a provider of its own.
#[derive(Debug)]
pub(in crate::mailer) struct Group {
    name: String,
    limits: Limits,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    in_flight: u32,
    /// The adaptive limit (AIMD): halved by a throttling reply, raised by one per round of successes; infinite: no
    /// limit.
    limit: f64,
    pace: Pace,
    rests_until: Option<Instant>,
    /// Consecutive pauses.
    rests: u32,
    /// Mean seconds from the start of a mail to its outcome.
    mean: f64,
    heard: Option<Instant>,
    words: String,
}

/// A slot for one mail in flight, or for a lane that works for this provider only; freed when dropped.
#[derive(Debug)]
pub(in crate::mailer) struct Ticket(Arc<Group>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.lock().in_flight -= 1;
    }
}

/// What a lane knows about other work when it asks for a slot.
#[derive(Clone, Copy, Debug)]
pub(in crate::mailer) struct Crowd {
    /// Mean seconds per mail of the quickest provider.
    pub(super) quickest: f64,
    /// Whether other work waits for lanes.
    pub(super) others: bool,
}

impl Group {
    pub(super) fn new(name: &str, limits: Limits) -> Self {
        Self {
            name: name.to_owned(),
            limits,
            state: Mutex::new(State {
                in_flight: 0,
                limit: steady(limits),
                pace: Pace::of(limits.per_second),
                rests_until: None,
                rests: 0,
                mean: 0.0,
                heard: None,
                words: String::new(),
            }),
        }
    }

    /// The provider's name, or the domain, as in `mail_batch.provider`.
    pub(in crate::mailer) fn name(&self) -> &str {
        &self.name
    }

    /// Takes a slot for one more mail in flight.
    ///
    /// # Errors
    /// If there is none, returns when to try again; the lane goes on with other recipients meanwhile.
    pub(in crate::mailer) fn enter(
        self: &Arc<Self>,
        now: Instant,
        crowd: Crowd,
    ) -> Result<Ticket, Instant> {
        let mut state = self.lock();
        if let Some(until) = state.closed(now, crowd, 1) {
            return Err(until);
        }
        state.in_flight += 1;
        drop(state);
        Ok(Ticket(Arc::clone(self)))
    }

    /// Whether a lane that holds a [`Ticket`] may send another mail.
    ///
    /// # Errors
    /// If not, returns when to try again.
    pub(in crate::mailer) fn go_on(&self, now: Instant, crowd: Crowd) -> Result<(), Instant> {
        self.lock().closed(now, crowd, 0).map_or(Ok(()), Err)
    }

    /// Until when there is no slot; `None` if there is one now.
    pub(in crate::mailer) fn closed(&self, now: Instant, crowd: Crowd) -> Option<Instant> {
        self.lock().closed(now, crowd, 1)
    }

    /// Counts a mail for the rate limit.
    pub(in crate::mailer) fn begin(&self, now: Instant) {
        if self.limits.per_second > 0 {
            self.lock().pace.take(now);
        }
    }

    /// Records the outcome of a mail that began at `began`. If other work waits, a slow provider pauses for as long as
    /// the mail took.
    pub(in crate::mailer) fn heard(&self, began: Instant, now: Instant, sent: bool, crowd: Crowd) {
        let took = now.saturating_duration_since(began);
        let mut state = self.lock();
        let seconds = took.as_secs_f64();
        state.mean = match state.heard {
            None => seconds,
            Some(_) => state.mean + (seconds - state.mean) * NEWEST,
        };
        state.heard = Some(now);
        if sent && state.limit.is_finite() {
            let most = steady(self.limits);
            state.limit = (state.limit + 1.0 / state.limit).min(most);
            if state.limit > PLENTY {
                state.limit = most;
            }
            state.rests = state.rests.saturating_sub(1);
        }
        if crowd.others && state.is_slow(crowd) {
            let until = now + took;
            state.rests_until = Some(state.rests_until.map_or(until, |rests| rests.max(until)));
        }
    }

    /// Records a throttling reply: the limit is halved, after a pause that grows each time. Replies to mails that were
    /// in flight together count once. Returns the end of the pause.
    pub(in crate::mailer) fn throttled(
        &self,
        now: Instant,
        random: &Random,
        words: &str,
    ) -> Instant {
        let mut state = self.lock();
        words.clone_into(&mut state.words);
        if let Some(until) = state.rests_until.filter(|until| *until > now) {
            return until;
        }
        let flying = f64::from(state.in_flight.max(1));
        state.limit = (state.limit.min(flying) / 2.0).max(1.0);
        let rest = rest_after(state.rests);
        let jitter = random.below(u64::try_from(rest.as_millis() / 4).unwrap_or(0));
        let until = now + rest + Duration::from_millis(jitter);
        if rest < LONGEST_REST {
            state.rests += 1;
        }
        state.rests_until = Some(until);
        metrics::counter!("canvass_mail_throttled_total").increment(1);
        until
    }

    /// Its last reply, if it is paused and has accepted nothing for so long that the pauses have reached their maximum:
    /// then there is no telling when it will accept mail again.
    pub(in crate::mailer) fn takes_nothing(&self, now: Instant) -> Option<String> {
        let state = self.lock();
        let rests = state.rests_until.is_some_and(|until| until > now);
        (rests && rest_after(state.rests) >= LONGEST_REST).then(|| state.words.clone())
    }

    /// The mean time of a mail, if there was one recently.
    pub(super) fn mean(&self, now: Instant) -> Option<f64> {
        let state = self.lock();
        let recent = state.heard.is_some_and(|heard| now < heard + RECENT);
        recent.then_some(state.mean)
    }

    /// Whether its mails take much longer than the quickest provider's.
    pub(in crate::mailer) fn is_slow(&self, crowd: Crowd) -> bool {
        self.lock().is_slow(crowd)
    }

    /// Whether it is slow while other work waits for lanes.
    pub(in crate::mailer) fn holds_up(&self, crowd: Crowd) -> bool {
        crowd.others && self.is_slow(crowd)
    }

    /// Whether it holds no state that is worth keeping.
    pub(super) fn is_unremarkable(&self, now: Instant) -> bool {
        let state = self.lock();
        state.in_flight == 0
            && state.limit >= steady(self.limits)
            && state.rests_until.is_none_or(|until| until < now)
    }

    /// Its status for display; `None` while nothing limits it.
    pub(super) fn status(
        &self,
        now: Instant,
        at: UnixMillis,
        crowd: Crowd,
    ) -> Option<DomainStatus> {
        let state = self.lock();
        let rests = state.rests_until.filter(|until| *until > now);
        let held_up = rests.is_some()
            || state.limit < steady(self.limits)
            || state.closed(now, crowd, 1).is_some();
        held_up.then(|| DomainStatus {
            name: self.name.clone(),
            in_flight: state.in_flight,
            limit: state.limit.is_finite().then_some(state.limit as u32),
            waits_until: rests.map(|until| at + (until - now)),
            words: state.words.clone(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Until when `more` mails in addition to those in flight are too many; `None` if they are allowed now.
    fn closed(&self, now: Instant, crowd: Crowd, more: u32) -> Option<Instant> {
        if let Some(until) = self.rests_until.filter(|until| *until > now) {
            return Some(until);
        }
        let wait = self.pace.wait(now);
        if wait > BURST {
            return Some(now + wait);
        }
        let mut limit = self.limit;
        if crowd.others && self.is_slow(crowd) {
            // One lane, half of the time: of ten lanes, the other work loses a twentieth.
            limit = limit.min(1.0);
        }
        (f64::from(self.in_flight + more) > limit.floor()).then(|| now + FULL)
    }

    fn is_slow(&self, crowd: Crowd) -> bool {
        self.mean > SLOW && self.mean > crowd.quickest * SLOWER
    }
}

/// The pause after this many consecutive ones.
fn rest_after(rests: u32) -> Duration {
    (REST * 2u32.saturating_pow(rests.min(16))).min(LONGEST_REST)
}

fn steady(limits: Limits) -> f64 {
    match limits.connections {
        0 => f64::INFINITY,
        connections => f64::from(connections),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALONE: Crowd = Crowd {
        quickest: 0.01,
        others: false,
    };
    const CROWDED: Crowd = Crowd {
        quickest: 0.01,
        others: true,
    };

    fn group(connections: u32, per_second: u32) -> Arc<Group> {
        let limits = Limits {
            connections,
            per_second,
        };
        Arc::new(Group::new("example.org", limits))
    }

    #[test]
    fn a_provider_has_so_many_mails_in_the_air() {
        let (group, now) = (group(2, 0), Instant::now());
        let first = group.enter(now, ALONE).unwrap();
        let _second = group.enter(now, ALONE).unwrap();
        assert_eq!(group.enter(now, ALONE).unwrap_err(), now + FULL);
        assert!(group.go_on(now, ALONE).is_ok(), "who is in may go on");
        drop(first);
        assert!(group.enter(now, ALONE).is_ok());
    }

    #[test]
    fn throttling_halves_and_rests_and_success_grows_again() {
        let (group, random) = (group(8, 0), Random::seeded(1));
        let mut now = Instant::now();
        let tickets: Vec<_> = (0..8).map(|_| group.enter(now, ALONE).unwrap()).collect();
        let until = group.throttled(now, &random, "450 4.7.28 unusual rate");
        assert_eq!(group.throttled(now, &random, "again"), until, "once");
        assert!(until >= now + REST && until <= now + REST * 5 / 4);
        assert_eq!(group.go_on(now, ALONE), Err(until));
        let status = group.status(now, UnixMillis(0), ALONE).unwrap();
        assert_eq!((status.in_flight, status.limit), (8, Some(4)));
        assert!(status.waits_until.is_some() && status.words == "again");
        drop(tickets);
        now = until;
        let second = group.throttled(now, &random, "") - now;
        assert!(second > REST * 2 - Duration::from_secs(1), "{second:?}");
        now += second;
        for _ in 0..60 {
            group.heard(now, now, true, ALONE);
        }
        assert_eq!(group.lock().limit, 8.0, "back at its steady limit");
        assert!(group.is_unremarkable(now + Duration::from_secs(1)));
    }

    #[test]
    fn who_takes_nothing_for_long_is_known_until_one_is_taken() {
        let (group, random) = (group(0, 0), Random::seeded(1));
        let began = Instant::now();
        let (mut now, mut until) = (began, began);
        while group.takes_nothing(now).is_none() {
            now = until;
            assert!(now < began + Duration::from_secs(3_600));
            until = group.throttled(now, &random, "450 too much");
        }
        assert!(now > began + Duration::from_secs(20 * 60), "too early");
        assert_eq!(group.takes_nothing(now).unwrap(), "450 too much");
        assert_eq!(group.takes_nothing(until), None, "one may try");
        for _ in 0..20 {
            now = until;
            until = group.throttled(now, &random, "450 still");
        }
        assert_eq!(group.takes_nothing(now).unwrap(), "450 still");
        group.heard(until, until, true, ALONE);
        group.throttled(until, &random, "450 a little slower");
        assert!(group.takes_nothing(until).is_some());
        for _ in 0..2 {
            now = until + LONGEST_REST * 2;
            group.heard(now, now, true, ALONE);
        }
        until = group.throttled(now, &random, "450 a little slower");
        assert!(until > now && group.takes_nothing(now).is_none());
    }

    #[test]
    fn a_pace_lets_a_second_go_in_advance_and_no_more() {
        let (group, now) = (group(0, 10), Instant::now());
        let mut sent = 0;
        while group.go_on(now, ALONE).is_ok() {
            group.begin(now);
            sent += 1;
        }
        assert!((10..=12).contains(&sent), "{sent}");
        let later = now + Duration::from_secs(5);
        assert!(group.go_on(later, ALONE).is_ok());
    }

    #[test]
    fn a_slow_provider_leaves_the_lanes_to_others_while_they_wait() {
        let (group, mut now) = (group(0, 0), Instant::now());
        let began = now;
        now += Duration::from_secs(2);
        group.heard(began, now, true, ALONE);
        let _one = group.enter(now, CROWDED).unwrap();
        assert!(group.enter(now, CROWDED).is_err(), "one lane");
        assert!(group.enter(now, ALONE).is_ok(), "all, if nobody waits");
        group.heard(now, now + Duration::from_secs(2), true, CROWDED);
        now += Duration::from_secs(2);
        assert_eq!(group.go_on(now, CROWDED), Err(now + Duration::from_secs(2)));
        let same = Crowd {
            quickest: 1.9,
            others: true,
        };
        now += Duration::from_secs(2);
        assert!(group.enter(now, same).is_ok(), "all are slow: nobody is");
    }
}
