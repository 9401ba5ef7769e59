//! What goes into the ballot box, and the outcome.

use std::sync::Arc;

use crate::api::Once;
use crate::polls::answer::{Choice, Reason};
use crate::polls::linked::Tick;
use crate::polls::model::{Phase, Place, Poll, Tier};
use crate::polls::trust::Witness;
use crate::types::{IssueId, PollId};

/// A voter in one poll: a keyed hash, see `polls::voter`.
pub type VoterKey = [u8; 16];

/// One answer on its way into the ballot box.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The poll as it was when the choice was read.
    pub poll: Arc<Poll>,
    pub voter: VoterKey,
    /// Nothing says that the voter has answered before, so that no ballot is expected under the key. Whether there is one
    /// is decided by the table's key.
    pub is_new: bool,
    pub choice: Choice,
    pub tier: Tier,
    pub place: Place,
    /// The issue whose mail it came from.
    pub issue: Option<IssueId>,
    /// The client's network, hashed under today's secret: used to detect bursts, not to identify anybody.
    pub network: Option<[u8; 8]>,
    /// What a known reader said about the link; `None` in secret polls.
    pub link: Option<Tick>,
    /// A script's Idempotency-Key, and the request made with it.
    pub once: Option<Once>,
    /// What this process remembers about how the answer came, once it is in the box.
    pub witness: Option<Witness>,
}

/// What goes into the box.
#[derive(Debug, Clone)]
pub enum Slip {
    /// Shared, because a slip is moved from future to future on its way, and copied for each attempt to commit it.
    Answer(Arc<Answer>),
    /// Input that is not a valid answer: recorded, so that nothing is blocked silently.
    Refused(PollId, Reason),
}

impl From<Answer> for Slip {
    fn from(answer: Answer) -> Self {
        Self::Answer(Arc::new(answer))
    }
}

impl Slip {
    /// The poll that it belongs to.
    #[must_use]
    pub fn poll(&self) -> PollId {
        match self {
            Self::Answer(answer) => answer.poll.id,
            Self::Refused(poll, _) => *poll,
        }
    }
}

/// The outcome of an answer. The first three are durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A first ballot.
    Counted,
    /// The voter's ballot now says this.
    Changed,
    /// The voter's ballot already said this.
    Same,
    /// The poll was not open at the commit.
    NotOpen(Phase),
    /// The voter's ballot counts under the key of the reader they turned out to be, and can be changed only there.
    HandedOver,
    /// The poll was edited after the choice was read: read it again.
    Edited,
    /// A refusal was recorded.
    Noted,
    /// The same request, with the same key, was already answered, and is not counted again. `first`: it was
    /// the voter's first ballot.
    Repeated { first: bool },
    /// The key was already used for a different request.
    KeyReused,
}
