//! Polls: a question beside an article or in a mail, answered with one tap.
//!
//! States of a poll: draft → published (open between its two times) → closed, by its time or by hand.
//! Promises:
//! - An answer that got a 2xx or 3xx is on disk and in the tally; both change in one commit.
//! - One voter, one ballot: the primary key `(poll, voter key)` decides. A second answer changes the first
//!   while the poll is open; it never adds one.
//! - Opening and closing are exact to the millisecond, decided by the clock at the commit.
//! - GET and HEAD count nothing. Answering needs no script, no nonce in the page, no third-party cookie.
//! - No address and no raw network address lies beside an answer.
//!
//! `model`, `choice`, `shares` and `note` are pure; `define` and `store` are what editors' pages and scripts use;
//! `ballot_box` is the one way in for an answer.

pub mod ballot_box;
pub mod choice;
pub mod define;
pub mod model;
pub mod note;
pub mod refusals;
pub mod shares;
pub mod store;
pub mod voter;
