//! The ballot box: the one way in for an answer.
//!
//! - `slip`: what goes in, and what became of it. Pure.
//! - `commit`: many answers in one durable commit.
//! - `rows`: ballots as rows, many in a statement.
//! - `counts`: the counting tables, which move in the same commit.
//! - `details_store`: the counting tables of rankings and of readers' own words.

mod commit;
mod counts;
pub mod details_store;
mod rows;
mod slip;

pub use commit::{LARGEST_GROUP, commit};
pub use slip::{Answer, Outcome, Slip, VoterKey};
