//! Who answered, as far as the ballot box needs to know: a key that means nothing outside its poll.
//!
//! A browser is known by a marker that is made when it first answers, a subscriber by the personal link in a mail. Both become an HMAC
//! under the poll's secret.
//!
//! - `key`: the kinds of voters, how much each tells, and their keys. Pure.
//! - `marker`: what a browser is known by, and its cookie.
//! - `known`: whose browser it is, so that one reader has one ballot, whichever way it comes.
//! - `network`: a client's network, for a day.
//!
//! States of a voter: a browser → the same browser after some work → a reader, known by a mail's link, signed in or confirmed.
//! Promises: the same reader has unrelated keys in two polls; once a secret poll's secret is destroyed no key leads back to anybody; a
//! marker is made only when somebody answers, and says nothing about who that is; no network is kept that outlives the day.

mod key;
pub mod known;
mod marker;
mod network;

pub use key::{Voter, hash_under};
pub use marker::{is_marker, mark_number, marker, new_marker, remember};
pub use network::NetworkOfTheDay;
