//! Importing polls from other systems: WP-Polls and YOP Poll, from a dump of their tables or from the tables as CSV.
//!
//! - `read`: detects what each file is, and whether it is complete. A file that ends within a statement, or that has
//!   answers to polls it does not contain, is refused as a whole.
//! - `dump` (using `tokens`) and `sheets` stream rows; `tables` keeps only what is needed of them. Addresses, names and
//!   cookies of voters are never kept.
//! - `wp_polls`, `yop`: what the rows of each system mean. `php`, `words` and `latin1` undo the
//!   encodings in which they are stored.
//! - `carried`: a poll with its ballots, built from counts and a log that may disagree. Pure.
//! - `zone`: the time zone of a site. Pure.
//! - `run` (with `store`): stores the polls through the ballot box, so that tally, ballots and chain agree. It is
//!   idempotent: another run adds nothing twice and resumes where the last one stopped.

mod carried;
mod dump;
mod latin1;
mod php;
mod read;
mod run;
mod sheets;
mod store;
mod tables;
mod tokens;
mod words;
mod wp_polls;
mod yop;
mod zone;

pub use run::{Order, Summary, run};
pub use tables::System;
