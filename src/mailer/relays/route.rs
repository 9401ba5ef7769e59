//! One relay: its connections, rate limit, daily limit and breaker, and the number of mails it has accepted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::{logins::Logins, quota::Quota};
use crate::{
    config,
    mailer::{
        breaker::{Breaker, Cause},
        fate::Words,
        pace::Pace,
        smtp::{Refusal, Relay, Session},
        status::{BreakerState, RelayStatus},
    },
    types::{Random, UnixMillis},
};

/// Seconds in the window of "the last minute".
const MINUTE: usize = 60;

/// A relay and its state in this process.
#[derive(Debug)]
pub struct Route {
    pub(super) name: String,
    pub(super) weight: f64,
    /// A number derived from its name, which rendezvous hashing mixes with the mail's key.
    pub(super) seed: u64,
    pub(in crate::mailer) relay: Relay,
    pub(super) breaker: Breaker,
    /// Opens if the relay defers mail after mail: other relays are preferred then. Without others, nothing changes.
    pub(super) slow: Breaker,
    pub(super) quota: Quota,
    pub(super) logins: Logins,
    seats: Arc<Semaphore>,
    /// Connections for issues; single mails have one more.
    connections: u32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    pace: Pace,
    open: u32,
    /// Of these, the connections that are being closed.
    left: u32,
    total: u64,
    /// Consecutive connections that broke.
    lost: u32,
    /// Mails that it refused because of us, and mails that it deferred, each since it last accepted one.
    refused: u32,
    deferred: u32,
    /// A ring of the numbers of mails accepted in each of the last seconds, and the second that was written last.
    minute: [u32; MINUTE],
    second: u64,
    started: Instant,
    words: String,
    words_at: Option<UnixMillis>,
}

/// A connection slot; free again when dropped.
#[derive(Debug)]
pub(in crate::mailer) struct Seat {
    route: Arc<Route>,
    is_left: bool,
    _permit: Option<OwnedSemaphorePermit>,
}

impl Seat {
    /// Announces that its connection is being closed, so that no other lane gives up one as well.
    pub(in crate::mailer) fn leave(&mut self) {
        if !self.is_left {
            self.is_left = true;
            self.route.lock().left += 1;
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.route.lock();
        state.open -= 1;
        state.left -= u32::from(self.is_left);
    }
}

impl Route {
    pub(super) fn new(settings: &config::Relay, relay: Relay, connections: u32) -> Self {
        let name = match settings.name.as_str() {
            "" => format!("{}:{}", relay.host, relay.port),
            name => name.to_owned(),
        };
        Self {
            weight: f64::from(settings.weight),
            seed: super::fnv(name.as_bytes()),
            name,
            relay,
            breaker: Breaker::default(),
            slow: Breaker::default(),
            quota: Quota::of(settings),
            logins: Logins::default(),
            seats: Arc::new(Semaphore::new(connections as usize)),
            connections,
            state: Mutex::new(State {
                pace: Pace::of(settings.per_second),
                open: 0,
                left: 0,
                total: 0,
                lost: 0,
                refused: 0,
                deferred: 0,
                minute: [0; MINUTE],
                second: 0,
                started: Instant::now(),
                words: String::new(),
                words_at: None,
            }),
        }
    }

    /// A slot for one more connection. The lane that is reserved for single mails always gets one.
    pub(in crate::mailer) fn seat(self: &Arc<Self>, reserved: bool) -> Option<Seat> {
        let permit = if reserved {
            None
        } else {
            Some(Arc::clone(&self.seats).try_acquire_owned().ok()?)
        };
        self.lock().open += 1;
        Some(Seat {
            route: Arc::clone(self),
            is_left: false,
            _permit: permit,
        })
    }

    pub(in crate::mailer) fn has_seat(&self) -> bool {
        self.seats.available_permits() > 0
    }

    /// Whether all slots are taken, and no connection is being closed.
    pub(in crate::mailer) fn is_full(&self) -> bool {
        !self.has_seat() && self.lock().left == 0
    }

    /// Connects, and logs in if the relay requires it.
    ///
    /// # Errors
    /// The phase that failed and the server's reply.
    pub(in crate::mailer) async fn connect(&self) -> Result<Session, Refusal> {
        let session = self.logins.connect(&self.relay).await?;
        self.breaker.logged_in();
        Ok(session)
    }

    /// When its breaker has to open for this cause: `now`, or when the login was refused that a lane is told of now.
    pub(super) fn since(&self, cause: Cause, now: Instant) -> Instant {
        match cause {
            Cause::Login => self.logins.last_refused().unwrap_or(now),
            Cause::Usual => now,
        }
    }

    pub(super) fn pace_wait(&self, now: Instant) -> Duration {
        self.lock().pace.wait(now)
    }

    pub(super) fn pace_take(&self, now: Instant) {
        self.lock().pace.take(now);
    }

    /// Records that it accepted a mail.
    pub(super) fn took(&self, now: Instant) {
        let mut state = self.lock();
        state.total += 1;
        (state.lost, state.refused, state.deferred) = (0, 0, 0);
        let second = state.forward(now);
        state.minute[second] += 1;
    }

    /// Records another reply.
    pub(super) fn said(&self, words: &str, at: UnixMillis) {
        let mut state = self.lock();
        words.clone_into(&mut state.words);
        state.words_at = Some(at);
        state.lost = 0;
    }

    /// Records a broken connection; returns how many broke in a row.
    pub(super) fn lost(&self, words: &str, at: UnixMillis) -> u32 {
        let mut state = self.lock();
        words.clone_into(&mut state.words);
        state.words_at = Some(at);
        state.lost += 1;
        state.lost
    }

    /// Opens one of its breakers, unless it is open already; counts that, and logs the codes of the reply, but not its
    /// text, which may repeat an address.
    pub(super) fn rest(
        &self,
        breaker: &Breaker,
        cause: Cause,
        words: &Words,
        now: Instant,
        random: &Random,
        why: &str,
    ) {
        let Some(pause) = breaker.open(now, random, cause, &words.told()) else {
            return;
        };
        metrics::counter!("canvass_relay_rests_total", "relay" => self.name.clone()).increment(1);
        let reply = Some(words.codes()).filter(|codes| !codes.is_empty());
        tracing::warn!(relay = %self.name, seconds = pause.as_secs(), reply, "{why}");
    }

    /// Records a refusal because of us; returns how many there were since it last accepted a mail.
    pub(super) fn refused_us(&self, words: &str, at: UnixMillis) -> u32 {
        self.said(words, at);
        let mut state = self.lock();
        state.refused = state.refused.saturating_add(1);
        state.refused
    }

    /// How many mails it has refused because of us since it last accepted one.
    pub(super) fn refusals(&self) -> u32 {
        self.lock().refused
    }

    /// Records a deferral; returns how many there were since it last accepted a mail.
    pub(super) fn deferred(&self, words: &str, at: UnixMillis) -> u32 {
        self.said(words, at);
        let mut state = self.lock();
        state.deferred = state.deferred.saturating_add(1);
        state.deferred
    }

    pub(super) fn status(&self, now: Instant, at: UnixMillis) -> RelayStatus {
        let mut breaker = self.breaker.seen(now);
        if breaker.failures == 0 {
            breaker = self.slow.seen(now);
        }
        let mut state = self.lock();
        state.forward(now);
        RelayStatus {
            name: self.name.clone(),
            connections: state.open,
            connections_allowed: self.connections + 1,
            handed_over: state.total,
            last_minute: state.minute.iter().map(|n| u64::from(*n)).sum(),
            per_day: self.quota.cap(at),
            today: self.quota.limits().then(|| self.quota.used(at)),
            breaker: match (breaker.failures, breaker.wait) {
                (0, _) => BreakerState::Closed,
                (failures, None) => BreakerState::HalfOpen { failures },
                (failures, Some(wait)) => BreakerState::Open {
                    failures,
                    until: at + wait,
                },
            },
            breaker_words: breaker.words,
            last_words: state.words.clone(),
            last_words_at: state.words_at,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Advances the ring to the current second and returns its index.
    fn forward(&mut self, now: Instant) -> usize {
        let second = now.saturating_duration_since(self.started).as_secs();
        let passed = second.saturating_sub(self.second).min(MINUTE as u64);
        for n in 0..passed {
            let place = (second - n) % MINUTE as u64;
            self.minute[usize::try_from(place).unwrap_or(0)] = 0;
        }
        self.second = self.second.max(second);
        usize::try_from(self.second % MINUTE as u64).unwrap_or(0)
    }
}
