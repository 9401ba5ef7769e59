//! Polls from other systems: WP-Polls and YOP Poll, from a dump of their tables or the tables as CSV.
//!
//! - `dump` and `sheets` read rows, streaming; `tables` keeps what is needed of them. Addresses, names and cookies of voters are never kept.
//! - `wp_polls`, `yop`: what the rows of each system mean. `php` and `words` undo how they stored it.
//! - `carried`: a poll with its ballots, made from counts and a log that may not agree. Pure.
//! - `run`: stores it, through the ballot box, so that tally, ballots and chain agree. Running it again adds nothing and goes on where it stopped.

mod carried;
mod dump;
mod latin1;
mod php;
mod run;
mod sheets;
mod store;
mod tables;
mod words;
mod wp_polls;
mod yop;

pub use run::{Order, Summary, run};
pub use tables::System;
