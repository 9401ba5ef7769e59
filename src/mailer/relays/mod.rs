//! The relays: which one a mail goes through, and which ones rest.
//!
//! Rendezvous hashing with weights decides by the reader, so that the same reader comes to the same relay at every attempt
//! (greylisting wants that), a relay that rests gives its share to the others, and nobody else moves. Left out are
//! relays whose breaker is open, whose day is used up, or whose connections are all taken; a first attempt also evades
//! a relay that would have to wait for its pace.
//!
//! A breaker is opened by what concerns the relay: no connection, no TLS, no login, 421, a refusal of MAIL that speaks
//! of load, and refusals because of us (a block list, a failed DMARC) of so many mails in a row. One that puts off mail after mail
//! is passed over while another takes them. A relay that fails TLS is never used in clear. Limits of a recipient's provider are
//! no relay's affair.

mod quota;
mod route;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{fate::Words, smtp::Relay, status::RelayStatus};
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

/// A relay that refuses so many mails in a row because of us is left alone; one that puts so many off is passed over.
const IN_A_ROW: u32 = 10;

/// What a mail is, to a relay's limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Somebody waits for it: it is counted, but does not wait for pace or day.
    Single,
    /// One of an issue.
    First,
    /// One of an issue, not for the first time: it goes to its own relay, even if that is busy.
    Again,
}

/// Which relay a mail goes through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Way {
    /// Its place in the list; 0 where mails go to no relay.
    pub(super) relay: usize,
    /// Where this very mail is to show whether the relay is there again, since when.
    trial: Option<Instant>,
}

/// What a choice came to.
#[derive(Debug)]
pub(super) enum Choice {
    /// This relay.
    Way(Way),
    /// None yet: ask again after this.
    Wait(Duration),
    /// This relay's day has grants to be taken.
    Refill(usize),
    /// None for a while.
    None,
}

impl Relays {
    /// Adds a relay; `Err` with its name if another has it.
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

    /// Which relay a mail with this key goes through now, but for those in `not`. `placed` says where the lane has a connection, or may
    /// have one in any case.
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
        // The last question: whoever may try a relay after its rest does so, and the others wait for what comes of it.
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
        Choice::Way(Way { relay: way, trial })
    }

    pub(super) async fn refill(&self, app: &App, way: usize) -> Result<(), DbErr> {
        let route = &self.0[way];
        route.quota.refill(app, &route.name).await
    }

    /// The mail that was counted did not go; if it was to show whether the relay is there again, another may.
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

    /// Whether a lane has to wait because every relay rests, and how long at least. `bulk` also minds the limits of the day.
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

    /// Counts what became of a mail at a relay.
    pub(super) fn count(&self, way: usize, outcome: &'static str) {
        if let Some(route) = self.0.get(way) {
            metrics::counter!("canvass_relay_mails_total", "relay" => route.name.clone(), "outcome" => outcome)
                .increment(1);
        }
    }

    /// A relay took a mail.
    pub(super) fn took(&self, way: usize, now: Instant) {
        if let Some(route) = self.0.get(way) {
            route.breaker.close();
            route.slow.close();
            route.took(now);
        }
    }

    /// A relay refused a mail because of us.
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
        } else if let Some(pause) = route.breaker.open(now, random, &words.told()) {
            let why = "a relay refuses our mails and is left alone for a while";
            route.left_alone(pause, Some(words.codes()), why);
        }
    }

    /// Whether every relay there is refuses our mails.
    pub(super) fn all_refuse_us(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|route| route.refusals() >= IN_A_ROW)
    }

    /// A relay put a mail off.
    pub(super) fn deferred(
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
        route.breaker.close();
        let text = words.text.to_lowercase();
        if text.contains("greylist") || text.contains("graylist") {
            // It is met by coming back to the same relay.
            route.said(&words.told(), at);
            return;
        }
        if route.deferred(&words.told(), at) < IN_A_ROW || self.0.len() == 1 {
            return;
        }
        if let Some(pause) = route.slow.open(now, random, &words.told()) {
            let why = "a relay puts off mail after mail and is passed over for a while";
            route.left_alone(pause, Some(words.codes()), why);
        }
    }

    /// A relay answered for one mail, other than by taking it.
    pub(super) fn said(&self, way: usize, words: &str, at: UnixMillis) {
        if let Some(route) = self.0.get(way) {
            route.breaker.close();
            route.said(words, at);
        }
    }

    /// A relay wants a rest, or is not there.
    pub(super) fn rests(
        &self,
        way: usize,
        words: &str,
        now: Instant,
        at: UnixMillis,
        random: &Random,
    ) {
        let Some(route) = self.0.get(way) else {
            return;
        };
        route.said(words, at);
        if let Some(pause) = route.breaker.open(now, random, words) {
            route.left_alone(pause, None, "a relay is left alone for a while");
        }
    }

    /// A connection broke in the middle of a mail. Once may be the mail's affair or chance; often in a row is the relay's, and the first
    /// time after a rest as well.
    pub(super) fn lost(
        &self,
        way: usize,
        words: &str,
        now: Instant,
        at: UnixMillis,
        random: &Random,
    ) {
        const OFTEN: u32 = 5;
        let Some(route) = self.0.get(way) else {
            return;
        };
        if route.lost(words, at) >= OFTEN || route.breaker.is_troubled() {
            self.rests(way, words, now, at, random);
        }
    }

    /// Gives back the day's grants that nobody needs.
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

/// The relay with the least score has the key: −ln(u) / weight, u even in (0, 1) from key and relay. Each relay is
/// the least in the share of its weight, and leaving one out moves only the keys that were its own.
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
