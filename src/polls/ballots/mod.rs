//! The ballot box: the one way in for an answer.
//!
//! - `slip`: what goes in, and what became of it. Pure.
//! - `commit`: many answers in one durable commit.
//! - `rows`: ballots as rows, many in a statement.
//! - `counts`: the counting tables, which move in the same commit.

mod commit;
mod counts;
mod rows;
mod slip;

pub use commit::{LARGEST_GROUP, commit};
pub use slip::{Answer, Outcome, Slip, VoterKey};
