//! Voters, as far as the ballot box needs to know: a key that is meaningless outside its poll.
//!
//! A browser is identified by a marker made when it first answers, a subscriber by the personal link in a mail. Both
//! become an HMAC under the poll's secret.
//!
//! - `key`: the kinds of voters, their tiers, and their keys. Pure.
//! - `marker`: the marker of a browser, and its cookie.
//! - `known`: whose browser it is, so that one reader has one ballot, whichever way it comes.
//! - `network`: a client's network, for a day.
//!
//! States of a voter: a browser → the same browser with proof of work → a reader, known by a mail's
//! link, signed in or confirmed.
//! Promises: the same reader has unrelated keys in two polls; once the secret of a secret poll is destroyed, no key
//! leads back to anybody; a marker is made only when somebody answers, and says nothing about who that is; nothing
//! about a network is kept that outlives the day.

mod key;
pub mod known;
mod marker;
mod network;

pub use key::{Voter, hash_under};
pub use marker::{is_marker, mark_number, marker, new_marker, remember};
pub use network::NetworkOfTheDay;
