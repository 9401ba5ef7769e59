//! What a poll is, and what it allows at a given time. Pure: `now` is passed in.
//!
//! This file defines the poll. `question`: what it asks. `phase`: its states, when it is open or closed, and who sees
//! the results. `provenance`: where an answer comes from, and how much is known about its voter.
//!
//! States of a poll: see [`PollState`], and [`Phase`] for what they mean at a given time. Promise: a poll opens and
//! closes to the millisecond, and once it was seen closed, a clock that is set back does not open it again.

#[cfg(test)]
pub mod example;
mod phase;
mod provenance;
mod question;

use std::fmt;
use std::time::Duration;

use aws_lc_rs::hmac;

pub use self::phase::{Phase, PollState, Visibility, phase};
pub use self::provenance::{Place, Tier};
pub use self::question::{
    Kind, MAX_RANKED_OPTIONS, Order, Picture, PollOption, Question, Role, Scale, deepest_ranking,
};
pub use super::linked::LinkWords;
use super::sample::{Sample, Sampling};
use crate::types::{NewsletterId, OptionId, PollId, UnixMillis};

/// A poll as readers and the ballot box see it. Cheap to share: kept in memory behind an `Arc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    pub id: PollId,
    pub slug: String,
    /// The name that editors see; readers see the questions.
    pub title: String,
    /// A sentence above the first question; may be empty.
    pub intro: String,
    pub state: PollState,
    /// When it opens; `None`: as soon as it is published.
    pub opens_at: Option<UnixMillis>,
    /// When it closes; `None`: when an editor closes it.
    pub closes_at: Option<UnixMillis>,
    /// When it was first seen closed by its time, or closed by an editor. For this poll the clock
    /// never goes back before that.
    pub seen_closed: Option<UnixMillis>,
    /// When its secret was destroyed: no ballot can be joined to a reader any more, and the poll never opens again.
    pub sealed_at: Option<UnixMillis>,
    pub visibility: Visibility,
    /// The tier whose totals are named first.
    pub headline_tier: Tier,
    /// The newsletter offered beside the answer, if any.
    pub newsletter: Option<NewsletterId>,
    /// The consent text under which readers may have their answer joined to their address; `None`: the poll is secret.
    pub linking: Option<LinkWords>,
    /// The IANA name of the zone its times are shown in.
    pub time_zone: String,
    pub secret: PollSecret,
    /// Incremented with every edit.
    pub revision: i64,
    /// Whom it asks.
    pub sampling: Sampling,
    pub questions: Vec<Question>,
}

/// The HMAC key of a poll's voter keys. Empty once it was destroyed, some days after the close: from then on no ballot
/// can be joined to a reader.
#[derive(Clone)]
pub struct PollSecret {
    bytes: Vec<u8>,
    /// Made once, because that takes as long as a voter's key.
    key: hmac::Key,
}

impl PollSecret {
    /// `bytes` are 32 random ones, or none.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        Self { bytes, key }
    }

    /// The bytes as they are stored.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether nobody has it any more.
    #[must_use]
    pub fn is_destroyed(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Begins a MAC under this secret.
    pub(super) fn mac(&self) -> hmac::Context {
        hmac::Context::with_key(&self.key)
    }
}

impl PartialEq for PollSecret {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for PollSecret {}

impl fmt::Debug for PollSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PollSecret")
    }
}

impl Poll {
    /// The poll's phase at `now`. Open from `opens_at` (inclusive) to `closes_at` (exclusive), to the millisecond.
    pub fn phase(&self, now: UnixMillis) -> Phase {
        let now = self.seen_closed.map_or(now, |at| at.max(now));
        if self.sealed_at.is_some() {
            let at = self.closes_at.filter(|&at| at <= now);
            return Phase::Closed { at };
        }
        phase(self.state, self.opens_at, self.closes_at, now)
    }

    /// When its secret is destroyed, `days` after the close; `None` while it is not closed, and once it is destroyed.
    pub fn seals_at(&self, now: UnixMillis, days: u64) -> Option<UnixMillis> {
        let closed = matches!(self.phase(now), Phase::Closed { .. });
        let since = self.seen_closed.or(self.closes_at.filter(|&at| at <= now));
        since
            .filter(|_| closed && self.sealed_at.is_none())
            .map(|at| at + Duration::from_secs(days * 24 * 60 * 60))
    }

    /// Whether the public may see results at `now`, given whether this reader has answered.
    pub fn shows_results(&self, now: UnixMillis, answered: bool) -> bool {
        let phase = self.phase(now);
        if matches!(phase, Phase::Hidden | Phase::NotYetOpen { .. }) {
            return false;
        }
        let closed = matches!(phase, Phase::Closed { .. });
        match self.visibility {
            Visibility::Always => true,
            Visibility::AfterVoting => answered || closed,
            Visibility::AfterClose => closed,
            Visibility::Never => false,
        }
    }

    /// The sample, if the poll asks only a sample; `None` if everybody may answer.
    pub fn sample(&self) -> Option<&Sample> {
        match &self.sampling {
            Sampling::Drawn(sample) => Some(sample),
            Sampling::Open | Sampling::OpenBeside(_) => None,
        }
    }

    /// Whether anybody may answer at `now`.
    pub fn is_open_to_all(&self, now: UnixMillis) -> bool {
        self.sample().is_none() && matches!(self.phase(now), Phase::Open { .. })
    }

    /// The option with this key, whether retired or not.
    pub fn option(&self, key: i64) -> Option<&PollOption> {
        self.options().find(|o| o.key == key)
    }

    /// All options of all questions, in order.
    pub fn options(&self) -> impl Iterator<Item = &PollOption> {
        self.questions.iter().flat_map(|q| &q.options)
    }

    /// The keys of these options, in their order.
    pub fn keys(&self, options: &[OptionId]) -> Vec<i64> {
        let key = |id: &OptionId| self.options().find(|o| o.id == *id).map(|o| o.key);
        options.iter().filter_map(key).collect()
    }

    /// The labels of these options, in their order.
    pub fn labels(&self, options: &[OptionId]) -> Vec<&str> {
        let label = |id: &OptionId| self.options().find(|o| o.id == *id);
        options
            .iter()
            .filter_map(label)
            .map(|o| o.label.as_str())
            .collect()
    }

    /// The offered option that a form field or a script named: by its key in canonical decimal form and nothing else.
    pub fn offered(&self, raw: &str) -> Option<&PollOption> {
        let key: i64 = raw
            .parse()
            .ok()
            .filter(|key: &i64| key.to_string() == raw)?;
        self.option(key).filter(|o| !o.retired)
    }

    /// Whether a ballot can say more than which options: an order, or words.
    pub fn has_details(&self) -> bool {
        self.questions
            .iter()
            .any(|question| question.kind == Kind::Ranked)
            || self.options().any(|option| option.role == Role::Words)
    }

    /// The first question: what the poll is called in a list.
    pub fn headline(&self) -> &str {
        self.questions
            .first()
            .map_or(self.title.as_str(), |q| q.text.as_str())
    }
}

#[cfg(test)]
mod tests;
