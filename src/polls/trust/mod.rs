//! How much an answer is worth believing: tiers that are earned, and bursts that are set aside and shown.
//!
//! - `proof`: the puzzle a browser solves for tier 1. Pure.
//! - `browser`: who a browser is and what it showed, from one request.
//! - `http`: where pages fetch a puzzle.

mod browser;
mod http;
mod proof;

pub use browser::{Browser, Showed};
pub use http::puzzle;
