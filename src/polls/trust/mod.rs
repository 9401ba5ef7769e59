//! How far an answer can be trusted: tiers that are earned, and bursts that are set aside and shown to editors.
//!
//! - `proof`: the puzzle that a browser solves for tier 1. Pure.
//! - `browser`: reads from one request who a browser is and what it presented.
//! - `http`: the endpoint from which pages fetch a puzzle.
//! - `signs`: what distinguishes one person or one program from a crowd; `push`: whether a group says something other
//!   than everybody else. Pure.
//! - `witness`: what the watch is told about an answer; `watch`: the traces of the last minutes in memory, and the
//!   bursts in them; `glance`: finds the bursts. Pure.
//! - `tick`: sets bursts aside (keeps the ballots without counting them) and records them; `warn`: the mail to editors.
//! - `decide`: an editor's decision about a burst; `store`: bursts as rows.
//!
//! A voter who changes a ballot is watched like one who casts it: the change moves the result as much.
//!
//! Promises: no answer is refused, and a voter whose ballot is set aside cannot tell; nothing about a network or a
//! browser is stored that outlives the day; a burst without other answers to compare it with, in memory or in the
//! database, is reported and counted until there are some or an editor decides; readers see what editors decide.

mod browser;
mod decide;
mod glance;
mod http;
mod proof;
mod push;
mod signs;
mod store;
mod tick;
mod warn;
mod watch;
mod witness;

pub use browser::{Browser, Showed};
pub use decide::{count_after_all, leave_out};
pub use http::puzzle;
pub use store::{
    Burst, Counts, State as BurstState, Waiting, counts_meeting, counts_of, of_poll as bursts_of,
    waiting,
};
pub use tick::{PAUSE, tick};
pub use watch::Watch;
pub use witness::{Manner, Witness, manner, opened, tell};
