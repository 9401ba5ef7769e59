//! How much an answer is worth believing: tiers that are earned, and bursts that are set aside and shown.
//!
//! - `proof`: the puzzle a browser solves for tier 1. Pure.
//! - `browser`: who a browser is and what it showed, from one request.
//! - `http`: where pages fetch a puzzle.
//! - `signs`: what tells one person or one program from a crowd. Pure.
//! - `witness`: what the watch is told of an answer; `watch`: minutes of traces in memory, and the bursts in them; `glance`: how they
//!   are found. Pure.
//! - `tick`: what was found is set aside (kept, and not counted), written down and told; `warn`: the mail to editors.
//! - `decide`: what an editor says about a burst; `store`: bursts as rows.
//!
//! Promises: nobody is turned away, and who was set aside cannot tell; nothing about a network or a browser is stored that outlives the
//! day; a burst alone, without other answers to compare it with, is told of and counted; what editors decide, readers see.

mod browser;
mod decide;
mod glance;
mod http;
mod proof;
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
