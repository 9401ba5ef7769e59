//! What goes into the ballot box, and what became of it.

use std::sync::Arc;

use crate::api::Once;
use crate::polls::answer::{Choice, Reason};
use crate::polls::linked::Tick;
use crate::polls::model::{Phase, Place, Poll, Tier};
use crate::polls::trust::Witness;
use crate::types::{IssueId, PollId};

/// A voter in one poll: a keyed hash, see [`super::voter`].
pub type VoterKey = [u8; 16];

/// One answer on its way into the box.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The poll as it was when the choice was read.
    pub poll: Arc<Poll>,
    pub voter: VoterKey,
    /// The key was made for this answer: there is no ballot of it.
    pub is_new: bool,
    pub choice: Choice,
    pub tier: Tier,
    pub place: Place,
    /// The issue whose mail it came from.
    pub issue: Option<IssueId>,
    /// The client's network under today's secret: a signal of haste, not an identity.
    pub network: Option<[u8; 8]>,
    /// What a known reader said about the link; `None` in secret polls.
    pub link: Option<Tick>,
    /// A script's Idempotency-Key, and what it asked under it.
    pub once: Option<Once>,
    /// What this process remembers of how it came, once it is in the box.
    pub witness: Option<Witness>,
}

/// What goes into the box.
#[derive(Debug, Clone)]
pub enum Slip {
    Answer(Answer),
    /// An answer that could not be read as one: noted, so that nothing is blocked in silence.
    Refused(PollId, Reason),
}

impl Slip {
    /// The poll it is for.
    #[must_use]
    pub fn poll(&self) -> PollId {
        match self {
            Self::Answer(answer) => answer.poll.id,
            Self::Refused(poll, _) => *poll,
        }
    }
}

/// What became of an answer. The first three are durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A first ballot.
    Counted,
    /// The voter's ballot now says this.
    Changed,
    /// The voter's ballot said so already.
    Same,
    /// The poll was not open at the commit.
    NotOpen(Phase),
    /// The voter's ballot counts under the key of the reader they turned out to be, and is changed there.
    HandedOver,
    /// The poll was edited since the choice was read: read it again.
    Edited,
    /// A refusal was written down.
    Noted,
    /// The same request was answered before, under its key, and is not counted again. `first`: that was the voter's first ballot.
    Repeated { first: bool },
    /// The key stood above another request before.
    KeyReused,
}
