//! What distinguishes one person or one program from a crowd. Pure.
//!
//! A school of 500 behind one address, a rush of readers after the evening news, and a person who clears cookies 32
//! times a minute all send many answers in a short time, so counting them does not help. What differs is *how* they
//! come: a crowd has many browsers, some of them alike, and its answers come at random times and overlap. So a burst needs
//! several signs together, and in addition it must push, see `push`: what it says differs from what everybody else says.
//! A group that does not push hardly moves the result.

use std::collections::HashMap;

use super::push::Said;
use crate::polls::ballots::VoterKey;
use crate::types::UnixMillis;

/// One new or changed ballot as the watch remembers it, only in memory and for minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    pub at: UnixMillis,
    pub voter: VoterKey,
    /// The client's network, hashed under today's secret.
    pub network: [u8; 8],
    /// A hash of how the browser describes itself in every request, under the same secret. Never stored.
    pub shape: [u8; 8],
    /// Whether puzzles were issued, so that an answer without proof of work left something out.
    pub puzzled: bool,
    /// Milliseconds between the puzzle and the answer, if the puzzle was solved.
    pub worked: Option<i64>,
    pub bad_proof: bool,
    /// Whether somebody in that network had opened the poll before. `None`: we cannot see that, for a form pasted into
    /// another site's page.
    pub opened: Option<bool>,
    pub said: Said,
    /// Whether it is no longer to be examined: it belongs to a burst, or its voter has changed the ballot since.
    pub taken: bool,
}

impl Trace {
    /// Whether it was sent without proof of work, or faster than a person could.
    pub fn is_machine_like(&self) -> bool {
        self.left_work_out() || self.worked.is_some_and(|took| took < HASTE_MS)
    }

    fn left_work_out(&self) -> bool {
        self.puzzled && self.worked.is_none()
    }
}

/// A reason to doubt that a group of ballots comes from a group of people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    OneBrowser,
    EvenPace,
    OneAtATime,
    NoWork,
    Unopened,
    Haste,
    Forged,
    Rush,
    Unalike,
    Torrent,
}

/// A person takes longer than this from the first touch of an option to the button; solving the puzzle
/// alone takes about as long.
const HASTE_MS: i64 = 700;
/// The fewest ballots in a group. The tightest case is a person at 32 ballots a minute, who must be found within 60 s.
pub const SMALLEST_GROUP: usize = 20;
/// The fewest ballots in a group that comes from everywhere, where coincidences are more likely.
pub const SMALLEST_FLEET: usize = 50;
/// Hardly any two browsers are alike if less than this share of all pairs of ballots come from browsers with the same
/// description. Among a newspaper's readers it is one pair in ten to fifty: the ten most frequent descriptions of an hour
/// have most of the answers.
const RARELY: f64 = 1.0 / 500.0;
/// The total weight of signs that is enough.
const ENOUGH: u32 = 4;

impl Sign {
    /// How strongly it speaks against a crowd. A single sign is never enough.
    fn weight(self) -> u32 {
        match self {
            Self::NoWork | Self::Rush => 1,
            Self::OneBrowser | Self::OneAtATime | Self::Unopened | Self::Forged | Self::Torrent => {
                2
            }
            Self::EvenPace | Self::Haste | Self::Unalike => 3,
        }
    }

    /// Whether a crowd may have it: the readers with the most frequent browser who use the plain form on another site's
    /// page, or a page without TLS, where browsers do no work, in a busy minute.
    pub fn a_crowd_may_have(self) -> bool {
        matches!(self, Self::OneBrowser | Self::NoWork | Self::Rush)
    }

    /// The bit stored in the table.
    pub fn bit(self) -> i64 {
        1 << (self as i64)
    }

    /// The signs for a sum of bits.
    pub fn of_bits(bits: i64) -> Vec<Self> {
        const ALL: [Sign; 10] = [
            Sign::OneBrowser,
            Sign::EvenPace,
            Sign::OneAtATime,
            Sign::NoWork,
            Sign::Unopened,
            Sign::Haste,
            Sign::Forged,
            Sign::Rush,
            Sign::Unalike,
            Sign::Torrent,
        ];
        ALL.into_iter()
            .filter(|sign| bits & sign.bit() != 0)
            .collect()
    }

    /// The description for editors.
    pub fn words(self) -> &'static str {
        match self {
            Self::OneBrowser => "All came from browsers that describe themselves in the same way.",
            Self::EvenPace => "They came at even intervals; people come at random ones.",
            Self::OneAtATime => {
                "Each was begun only after the previous one had been sent, at a rate at which people’s visits would overlap."
            }
            Self::NoWork => {
                "The browsers did not do the small computation that nearly all browsers do."
            }
            Self::Unopened => "Nobody there had opened the poll before.",
            Self::Haste => "They were sent faster after the first touch than a hand could.",
            Self::Forged => "Proofs of work were invented or reused.",
            Self::Rush => "More than one came each second.",
            Self::Unalike => {
                "Hardly any two browsers describe themselves in the same way; among readers, many do."
            }
            Self::Torrent => {
                "More than five came each second from a single network, without that computation."
            }
        }
    }
}

/// The signs of a group, if they are enough. `group` is ordered by time; `one_browser`: it was grouped by
/// the browser's description.
pub fn signs(group: &[Trace], one_browser: bool) -> Option<Vec<Sign>> {
    let n = group.len();
    let share = |is: fn(&Trace) -> bool| group.iter().filter(|t| is(t)).count() as f64 / n as f64;
    let span_ms = match (group.first(), group.last()) {
        (Some(first), Some(last)) => (last.at.0 - first.at.0).max(1),
        _ => return None,
    };
    let per_minute = (n as f64 - 1.0) * 60_000.0 / span_ms as f64;
    let mut found = Vec::new();
    let mut say = |sign, is: bool| {
        if is {
            found.push(sign);
        }
    };
    say(Sign::OneBrowser, one_browser);
    say(Sign::EvenPace, is_even(group));
    say(
        Sign::OneAtATime,
        per_minute >= 20.0 && share(|t| t.worked.is_some()) >= 0.8 && overlaps(group) <= 0.05,
    );
    // Readers whose browsers do the computation may be as different, inside the browsers of apps that name the phone's
    // model and their own version, and come as fast, from a provider's network.
    let no_work = share(Trace::left_work_out) >= 0.8;
    let many = no_work && n >= SMALLEST_FLEET;
    say(Sign::NoWork, no_work);
    say(Sign::Unalike, many && alike(group) < RARELY);
    let one_network = group.iter().all(|t| t.network == group[0].network);
    say(Sign::Torrent, many && one_network && per_minute > 300.0);
    // The others say nothing about those where we cannot see it.
    let seen = share(|t| t.opened.is_some());
    let unopened = share(|t| t.opened == Some(false));
    say(Sign::Unopened, seen >= 0.5 && unopened >= seen / 2.0);
    say(
        Sign::Haste,
        share(|t| t.worked.is_some_and(|took| took < HASTE_MS)) >= 0.5,
    );
    say(Sign::Forged, share(|t| t.bad_proof) >= 0.1);
    say(Sign::Rush, per_minute > 60.0);
    let weight: u32 = found.iter().map(|sign| sign.weight()).sum();
    (weight >= ENOUGH).then_some(found)
}

/// The intervals of random arrivals (exponential distribution) have an interquartile range of 1.6 times their median;
/// those of a person's or a program's rhythm, a fifth to a half. Quartiles are used so that a pause for a phone call
/// makes no difference. A growing group is asked about at every look. By simulation, one in a thousand random groups falls
/// below the limits at any look, always before its fortieth ballot, and no rhythm of a hand passes at the thirtieth.
fn is_even(group: &[Trace]) -> bool {
    let mut gaps: Vec<i64> = group.windows(2).map(|w| w[1].at.0 - w[0].at.0).collect();
    if gaps.len() + 1 < SMALLEST_GROUP {
        return false;
    }
    gaps.sort_unstable();
    let at = |quarter: usize| gaps[(gaps.len() - 1) * quarter / 4] as f64;
    let limit = if gaps.len() < 60 { 0.4 } else { 0.7 };
    at(2) > 0.0 && (at(3) - at(1)) / at(2) < limit
}

/// The share of all pairs of ballots that came from browsers which describe themselves in the same way.
fn alike(group: &[Trace]) -> f64 {
    let mut browsers: HashMap<[u8; 8], f64> = HashMap::new();
    for trace in group {
        *browsers.entry(trace.shape).or_default() += 1.0;
    }
    let pairs = |n: f64| n * (n - 1.0);
    browsers.values().map(|n| pairs(*n)).sum::<f64>() / pairs(group.len() as f64).max(1.0)
}

/// The share of ballots that were begun before the previous one was sent.
fn overlaps(group: &[Trace]) -> f64 {
    let over = group
        .windows(2)
        .filter(|w| w[1].at.0 - w[1].worked.unwrap_or(0) < w[0].at.0)
        .count();
    over as f64 / group.len().max(1) as f64
}

#[cfg(test)]
mod tests;
