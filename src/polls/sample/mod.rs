//! Probability mode: a poll that asks a random sample of a newsletter's confirmed subscribers, by personal links in a mail.
//!
//! States: none → drawn (the poll is open, for those who were drawn) → invited → reminded, once. An open poll gets its sample as a poll
//! of its own beside it, so that nothing of the one can move the other; a draft becomes the sample's poll itself.
//! Promises:
//! - Every confirmed subscriber had the same chance: a simple random sample without replacement (`draw`). The seed and the list are kept, so the
//!   draw can be made again and compared, at any time, by anybody who has the database.
//! - A poll has one sample, drawn once. Drawing until it pleases is not possible.
//! - Only who was drawn answers, by a personal link or signed in, and only these ballots count.
//! - Who was invited is known; who answered what is not. Nothing is written when somebody answers but the ballot: whether a reader has answered is
//!   asked of the ballots by the poll's secret when a reminder leaves, and cannot be asked any more once that is destroyed.
//! - A reminder divides nobody into fewer than ten (`remind`).
//! - Only here is there a margin, and never under 30 answers (`estimate`).
//!
//! `draw`, `estimate` and `remind` are pure; `take` draws, `mails` says who gets a mail, `store` is the table, `api` what scripts may see.

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
    /// Everybody who comes by.
    Open,
    /// Everybody; beside it that poll asks a sample the same.
    OpenBeside(PollId),
    /// Those who were drawn.
    Drawn(Sample),
}

/// Those who were drawn, and from how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    pub newsletter: NewsletterId,
    /// What the newsletter is called.
    pub name: String,
    /// Its confirmed subscribers at the draw: whom the estimates are about.
    pub population: i64,
    /// Ascending.
    pub readers: Arc<[ReaderId]>,
    pub drawn_at: UnixMillis,
    /// The open poll that asks everybody the same.
    pub beside: Option<PollId>,
}

impl Sample {
    /// How many were drawn.
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
