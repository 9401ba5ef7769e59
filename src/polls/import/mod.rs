//! Polls from other systems: WP-Polls and YOP Poll, from a dump of their tables or the tables as CSV.
//!
//! - `read`: which file is what, and whether all of it is there. A file that ends within a statement, or holds answers of polls that it does
//!   not hold, is refused as a whole.
//! - `dump` (over `tokens`) and `sheets` read rows, streaming; `tables` keeps what is needed of them. Addresses, names and cookies of voters are never kept.
//! - `wp_polls`, `yop`: what the rows of each system mean. `php` and `words` undo how they stored it.
//! - `carried`: a poll with its ballots, made from counts and a log that may not agree. Pure.
//! - `zone`: the zone of a site's clocks. Pure.
//! - `run`: stores it, through the ballot box, so that tally, ballots and chain agree. Running it again adds nothing and goes on where it stopped.

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
