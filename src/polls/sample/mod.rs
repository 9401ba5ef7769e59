//! Probability mode: a poll that asks a random sample of a newsletter's confirmed subscribers, by personal links in a mail.
//!
//! States: none → drawn (the poll is open, for those who were drawn) → invited → reminded, once. An open poll gets its
//! sample as a separate poll beside it, so that neither can affect the other; a draft becomes the sample's poll itself.
//! Promises:
//! - Every confirmed subscriber had the same chance: a simple random sample without replacement (`draw`). The seed and
//!   the list are kept, so anybody who has the database can repeat the draw and compare, at any time.
//! - A poll has one sample, drawn once. It is not possible to draw until the outcome suits.
//! - Only those who were drawn can answer, by a personal link or signed in, and only these ballots count.
//! - It is known who was invited, but not who answered what. An answer writes nothing but the ballot. Whether a reader
//!   has answered is looked up among the ballots, with the poll's secret, when a reminder is sent, and cannot be looked
//!   up once the secret is destroyed.
//! - A reminder never singles out a group of fewer than ten (`remind`).
//! - Margins are shown only here, and never under 30 answers (`estimate`).
//!
//! `draw`, `estimate` and `remind` are pure; `take` draws, `mails` selects the audience of a mail, `store` is the
//! table, `api` is what scripts may see.

pub mod api;
mod draw;
mod estimate;
mod mails;
mod remind;
pub mod store;
mod take;

pub use draw::draw;
pub use estimate::{Estimate, estimate, margin, range, range_of_mean, share_range};
pub use mails::audience;
pub use remind::{PAUSE, Round};
pub use take::{LARGEST, Order, SMALLEST, Taken, is_as_drawn, take};

use std::sync::Arc;

use crate::types::{NewsletterId, PollId, ReaderId, UnixMillis};

/// Whom a poll asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sampling {
    /// Everybody.
    Open,
    /// Everybody; the poll beside it asks the same of a sample.
    OpenBeside(PollId),
    /// Only those who were drawn.
    Drawn(Sample),
}

/// The readers who were drawn, and the size of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    pub newsletter: NewsletterId,
    /// The newsletter's name.
    pub name: String,
    /// Its confirmed subscribers at the draw: the estimates are about them.
    pub population: i64,
    /// In ascending order.
    pub readers: Arc<[ReaderId]>,
    pub drawn_at: UnixMillis,
    /// The open poll that asks everybody the same.
    pub beside: Option<PollId>,
}

impl Sample {
    /// The number of readers drawn.
    #[must_use]
    pub fn size(&self) -> i64 {
        i64::try_from(self.readers.len()).unwrap_or(i64::MAX)
    }

    /// Whether this reader was drawn.
    #[must_use]
    pub fn holds(&self, reader: ReaderId) -> bool {
        self.readers.binary_search(&reader).is_ok()
    }
}
