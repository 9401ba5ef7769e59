//! The relays: which one a mail goes through, and which ones are paused.
//!
//! Weighted rendezvous hashing by the reader chooses the relay. So a reader gets the same relay at every attempt, as
//! greylisting requires; a paused relay's share is spread over the others, and no other reader moves. Relays are left
//! out if their breaker is open, their daily limit is reached, or all their connections are taken; a first attempt also
//! avoids a relay that would have to wait for its rate limit.
//!
//! A breaker is opened by failures of the relay itself: no connection, no TLS, no login, 421, a refusal of MAIL because
//! of load, and a series of refusals because of us (a block list, a failed DMARC check). A relay that defers mail after
//! mail is passed over while another accepts them. A relay whose TLS fails is never used without it. Limits of a
//! recipient's provider do not count against the relay.
//!
//! `route`: one relay. `quota`: its daily limit. `logins`: one lane at a time tries a login that nobody knows to be
//! good.

mod logins;
mod quota;
mod route;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{breaker::Cause, fate::Words, reply::is_greylisting, smtp::Relay, status::RelayStatus};
use crate::{
    app::App,
    config,
    db::DbErr,
    types::{Random, SplitMix, UnixMillis},
};

pub(super) use route::{Route, Seat};

/// The relays of this process, in the order of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Relays(Vec<Arc<Route>>);

/// A relay that refuses this many mails in a row because of us is paused; one that defers this many is passed over.
const IN_A_ROW: u32 = 10;

/// The kind of a mail, for a relay's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A single mail: it counts, but never waits for the rate or the daily limit, because somebody is waiting for it.
    Single,
    /// The first attempt at a mail of an issue.
    First,
    /// A later attempt at a mail of an issue: it goes to the same relay as before, even if that is busy.
    Again,
}

/// The relay that was chosen for a mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Way {
    /// The relay's index; 0 if mails go to no relay.
    pub(super) relay: usize,
    /// If this mail is the trial of a half-open breaker, when the trial began.
    trial: Option<Instant>,
    /// Whether this is the mail's first attempt.
    is_first: bool,
}

/// The result of a choice.
#[derive(Debug)]
pub(super) enum Choice {
    /// This relay.
    Way(Way),
    /// No relay yet: ask again after this time.
    Wait(Duration),
    /// Reserve more of this relay's daily limit first.
    Refill(usize),
    /// No relay for a while.
    None,
}

impl Relays {
    /// Adds a relay; `Err` with its name if another relay has the same.
    pub(super) fn push(
        &mut self,
        settings: &config::Relay,
        relay: Relay,
        connections: u32,
    ) -> Result<(), String> {
        let route = Route::new(settings, relay, connections);
        if self.0.iter().any(|other| other.name == route.name) {
            return Err(route.name);
        }
        self.0.push(Arc::new(route));
        Ok(())
    }

    /// Each relay's name and address, for `canvass check`.
    pub fn each(&self) -> impl Iterator<Item = (&str, &Relay)> {
        self.0
            .iter()
            .map(|route| (route.name.as_str(), &route.relay))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn route(&self, way: usize) -> &Arc<Route> {
        &self.0[way]
    }

    /// Chooses the relay for a mail with this key, except those in `not`. `placed` says at which relays the lane has a
    /// connection, or may always open one.
    pub(super) fn choose(
        &self,
        key: u64,
        kind: Kind,
        now: Instant,
        at: UnixMillis,
        placed: impl Fn(usize) -> bool,
        not: &[usize],
    ) -> Choice {
        let mut best: Option<(f64, usize)> = None;
        let mut slow: Option<(f64, usize)> = None;
        let mut soonest: Option<Duration> = None;
        for (way, route) in self.0.iter().enumerate() {
            let room = placed(way) || route.has_seat();
            let rests = route.breaker.wait(now).is_some()
                || (kind != Kind::Single && route.quota.wait(at).is_some());
            if rests || !room || not.contains(&way) {
                continue;
            }
            let wait = match kind {
                Kind::Single => Duration::ZERO,
                Kind::First | Kind::Again => route.pace_wait(now),
            };
            let score = score(key, route);
            let is_slow = route.slow.wait(now).is_some();
            if is_slow {
                if slow.is_none_or(|(least, _)| score < least) {
                    slow = Some((score, way));
                }
            } else if wait.is_zero() || kind == Kind::Again {
                if best.is_none_or(|(least, _)| score < least) {
                    best = Some((score, way));
                }
            } else {
                soonest = Some(soonest.map_or(wait, |soonest| soonest.min(wait)));
            }
        }
        let way = match (best, soonest, slow) {
            (Some((_, way)), _, _) => way,
            (None, Some(wait), _) => return Choice::Wait(wait),
            (None, None, Some((_, way))) => way,
            (None, None, None) => return Choice::None,
        };
        let route = &self.0[way];
        let wait = route.pace_wait(now);
        if kind != Kind::Single && !wait.is_zero() {
            return Choice::Wait(wait);
        }
        if route.quota.limits() && !route.quota.take(at, kind == Kind::Single) {
            return Choice::Refill(way);
        }
        // Ask the breaker last: passing a half-open breaker begins a trial, and the other lanes wait for its result.
        let trial = match route.breaker.pass(now) {
            Ok(trial) => trial,
            Err(wait) => {
                if route.quota.limits() {
                    route.quota.put_back();
                }
                return Choice::Wait(wait);
            }
        };
        route.pace_take(now);
        Choice::Way(Way {
            relay: way,
            trial,
            is_first: kind == Kind::First,
        })
    }

    pub(super) async fn refill(&self, app: &App, way: usize) -> Result<(), DbErr> {
        let route = &self.0[way];
        route.quota.refill(app, &route.name).await
    }

    /// Uncounts a mail that was not sent. If it was the trial of a half-open breaker, another mail may be.
    pub(super) fn not_taken(&self, way: Way) {
        let Some(route) = self.0.get(way.relay) else {
            return;
        };
        if route.quota.limits() {
            route.quota.put_back();
        }
        if let Some(trial) = way.trial {
            route.breaker.not_tried(trial);
        }
    }

    /// How long a lane must wait at least because no relay can be used; `None` if one can. With `bulk`, daily limits
    /// count too.
    pub(super) fn wait(
        &self,
        now: Instant,
        at: UnixMillis,
        bulk: bool,
        connected: impl Fn(usize) -> bool,
    ) -> Option<Duration> {
        const LOOK: Duration = Duration::from_millis(250);
        let mut least: Option<Duration> = None;
        for (way, route) in self.0.iter().enumerate() {
            let room = !bulk || connected(way) || route.has_seat();
            let wait = route
                .breaker
                .wait(now)
                .or_else(|| route.quota.wait(at).filter(|_| bulk))
                .or((!room).then_some(LOOK))?;
            least = Some(least.map_or(wait, |least| least.min(wait)));
        }
        least
    }

    /// Counts the outcome of a mail at a relay.
    pub(super) fn count(&self, way: usize, outcome: &'static str) {
        if let Some(route) = self.0.get(way) {
            metrics::counter!("canvass_relay_mails_total", "relay" => route.name.clone(), "outcome" => outcome)
                .increment(1);
        }
    }

    /// Records that a relay accepted a mail.
    pub(super) fn took(&self, way: usize, now: Instant) {
        if let Some(route) = self.0.get(way) {
            route.breaker.close();
            route.slow.close();
            route.took(now);
        }
    }

    /// Records that a relay refused a mail because of us.
    pub(super) fn refused_us(
        &self,
        way: usize,
        words: &Words,
        now: Instant,
        at: UnixMillis,
        random: &Random,
    ) {
        let Some(route) = self.0.get(way) else {
            return;
        };
        if route.refused_us(&words.told(), at) < IN_A_ROW {
            route.breaker.close();
        } else {
            let why = "a relay refuses our mails and is left alone for a while";
            route.rest(&route.breaker, Cause::Usual, words, now, random, why);
        }
    }

    /// Whether every relay refuses our mails.
    pub(super) fn all_refuse_us(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|route| route.refusals() >= IN_A_ROW)
    }

    /// Records that a relay deferred a mail.
    pub(super) fn deferred(
        &self,
        way: Way,
        words: &Words,
        now: Instant,
        at: UnixMillis,
        random: &Random,
    ) {
        let Some(route) = self.0.get(way.relay) else {
            return;
        };
        route.breaker.close();
        if is_greylisted(words, way.is_first) {
            // Greylisting is overcome by coming back through the same relay.
            route.said(&words.told(), at);
            return;
        }
        if route.deferred(&words.told(), at) < IN_A_ROW || self.0.len() == 1 {
            return;
        }
        let why = "a relay defers mail after mail and is passed over for a while";
        route.rest(&route.slow, Cause::Usual, words, now, random, why);
    }

    /// Records another reply of a relay about one mail.
    pub(super) fn said(&self, way: usize, words: &str, at: UnixMillis) {
        if let Some(route) = self.0.get(way) {
            route.breaker.close();
            route.said(words, at);
        }
    }

    /// Records that a relay closed a connection that had carried mails: that says nothing about the next one.
    pub(super) fn closed(&self, way: usize, words: &Words, at: UnixMillis) {
        if let Some(route) = self.0.get(way) {
            route.said(&words.told(), at);
        }
    }

    /// Records that a relay throttles us, cannot be reached or refuses our login.
    pub(super) fn rests(
        &self,
        way: usize,
        cause: Cause,
        words: &Words,
        now: Instant,
        at: UnixMillis,
        random: &Random,
    ) {
        let Some(route) = self.0.get(way) else {
            return;
        };
        route.said(&words.told(), at);
        let why = match cause {
            Cause::Usual => "a relay is left alone for a while",
            Cause::Login => "a relay refuses the login and is left alone for a while",
        };
        let since = route.since(cause, now);
        route.rest(&route.breaker, cause, words, since, random, why);
    }

    /// Records that a connection broke in the middle of a mail. A single time may be chance or due to the mail; several
    /// times in a row, or the first time after a pause, is due to the relay.
    pub(super) fn lost(
        &self,
        way: usize,
        words: &Words,
        now: Instant,
        at: UnixMillis,
        random: &Random,
    ) {
        const OFTEN: u32 = 5;
        let Some(route) = self.0.get(way) else {
            return;
        };
        if route.lost(&words.told(), at) >= OFTEN || route.breaker.is_troubled() {
            self.rests(way, Cause::Usual, words, now, at, random);
        }
    }

    /// Gives back the unused part of the daily limits that this process has reserved.
    pub(super) async fn give_back(&self, app: &App, end: bool) -> Result<(), DbErr> {
        for route in self.0.iter().filter(|route| route.quota.limits()) {
            route.quota.give_back(app, &route.name, end).await?;
        }
        Ok(())
    }

    pub(super) fn status(&self, at: UnixMillis) -> Vec<RelayStatus> {
        let now = Instant::now();
        self.0.iter().map(|route| route.status(now, at)).collect()
    }
}

/// Whether a mail was deferred only to see whether it comes back. RFC 3463 §3.8 defines X.7.1 for refusals by policy,
/// and many servers use it when they greylist; but a mail that did come back and gets it again met another policy.
/// Other servers use other codes (4.2.0, 4.2.2), and only the word in the reply shows it.
fn is_greylisted(words: &Words, is_first: bool) -> bool {
    (is_first && words.enhanced == "4.7.1") || is_greylisting(&words.text)
}

/// The relay with the lowest score gets the key: −ln(u) / weight, with u uniform in (0, 1) from key and relay. So each
/// relay gets a share in proportion to its weight, and leaving one out moves only the keys that were its own.
fn score(key: u64, route: &Route) -> f64 {
    let mixed = SplitMix::new(key ^ route.seed).draw();
    let even = ((mixed >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    -even.ln() / route.weight
}

/// FNV-1a: the same number on every node and after every restart.
pub(super) fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
