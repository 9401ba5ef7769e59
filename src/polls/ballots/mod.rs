//! The ballot box: the one way in for an answer, and what vouches for what is in it.
//!
//! - `slip`: what goes in, and what became of it. Pure.
//! - [`SPILL`]: the queues into the box; `commit`: many answers in one durable commit.
//! - [`Stripe`]: one writer, which commits new voters in one trip where it can.
//! - `repeats`: requests of scripts that come again.
//! - `rows`: ballots as rows, and what a commit must know first. `insert`: ballots written, many in a statement.
//! - `counts`: the counting tables, which move in the same commit; and what counts at all.
//! - `details_store`: the counting tables of rankings and of readers' own words.
//! - `log`: the bytes of the log and how they are chained. Pure. `chain`: its pages as rows.
//! - `replay`: from the log back to ballots and numbers. Pure. `root`: one hash over all ballots.
//! - [`verify`]: recomputes all of it from the rows and compares; `verify_counters`: the numbers beside the tally;
//!   `verify_sealed`: as much of it as is left when the log is destroyed; `verify_share`: so many ballots at a time.
//! - [`adopt`]: ballots from before there was a log.
//! - [`hand_over`]: a browser's ballot becomes its reader's.
//! - `links`: answers beside the readers who agreed to it; `verify_links`: that they say what the ballots say.
//! - [`own_choice`]: what a voter's ballot says.
//! - [`removal`]: what editors set aside, with a reason that readers see.
//! - `ruled`: what editors decide about readers' own words, in the log.
//! - [`audit`]: a recount now and then.
//! - `close`: a close that stays, whatever the clock does.
//! - `record`: how the count stands once it has come to rest, in a hash that readers are shown.
//! - `seal`: destroys what could join a ballot to a reader, some days after the close.

mod adopt;
mod at_once;
mod audit;
mod chain;
mod close;
mod commit;
mod counts;
pub mod details_store;
mod hand_over;
mod insert;
mod links;
pub mod log;
mod own;
pub mod record;
pub mod removal;
mod repeats;
mod replay;
mod root;
mod rows;
mod ruled;
pub mod seal;
mod slip;
mod verify;
mod verify_counters;
mod verify_links;
mod verify_sealed;
mod verify_share;
mod writers;

pub use adopt::adopt;
pub use at_once::Stripe;
pub use audit::{Audits, Difference, audit};
pub use close::watch as watch_closes;
pub use commit::{LARGEST_GROUP, commit};
pub use hand_over::{Receiver, hand_over, has_own};
pub use own::own_choice;
pub use ruled::RulingLog;
pub use slip::{Answer, Outcome, Slip, VoterKey};
pub use verify::{Verified, verify, verify_in_shares};
pub use writers::{SPILL, number as writers};
