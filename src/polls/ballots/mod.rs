//! The ballot box: the only way in for an answer, and the checks of what is in it.
//!
//! - `slip`: what goes in, and the outcome. Pure.
//! - `writers` ([`SPILL`]): the queues into the box; `commit`: many answers in one durable commit.
//! - `at_once` ([`Stripe`]): one writer, which commits new voters in one round trip where it can.
//! - `repeats`: repeated requests of scripts.
//! - `rows`: ballots as rows, and what a commit must read first. `insert`: writes ballots, many in one statement.
//! - `counts`: the counting tables, which change in the same commit, and the rules for what counts.
//! - `details_store`: the counting tables of rankings and of readers' own words.
//! - `log`: how the log is encoded and chained. Pure. `chain`: its pages as rows.
//! - `replay`: recomputes ballots and numbers from the log. Pure. `root`: one hash over all ballots.
//! - [`verify()`]: recomputes everything from the rows and compares; `verify_counters`: the numbers beside the tally;
//!   `verify_asked`: the poll's texts and terms; `verify_sealed`: what can still be verified once the log is destroyed; `verify_share`: verifies a bounded
//!   number of ballots at a time.
//! - [`adopt()`]: ballots from before the log existed.
//! - [`hand_over()`]: hands a browser's ballot over to its reader.
//! - `links`: answers linked to the readers who agreed to it; `verify_links`: checks that they
//!   say what the ballots say.
//! - `own` ([`own_choice`]): what a voter's ballot says.
//! - [`removal`]: ballots that editors set aside, with a reason that readers see. `others`: whether that would reveal
//!   what a few voters said.
//! - `ruled`: editors' rulings on readers' own words, in the log.
//! - [`audit()`]: a periodic recount.
//! - `close`: a permanent close, whatever the clock does.
//! - `record`: the final state of a count, in a hash that readers are shown.
//! - `seal`: destroys, some days after the close, everything that could join a ballot to a reader.

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
pub mod others;
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
mod verify_asked;
mod verify_counters;
mod verify_links;
mod verify_sealed;
mod verify_share;
mod writers;

pub use adopt::adopt;
pub use at_once::{Committed, Stripe};
pub use audit::{Audits, Difference, audit};
pub use close::{moment as moment_of_close, set_back as set_closes_back, watch as watch_closes};
pub use commit::{LARGEST_GROUP, commit};
pub use hand_over::{Receiver, hand_over, has_own};
pub use own::own_choice;
pub use root::options_only;
pub use ruled::RulingLog;
pub use slip::{Answer, Outcome, Slip, VoterKey};
pub use verify::{Verified, verify, verify_in_shares};
pub use writers::{SPILL, number as writers};
