//! The vocabulary of Canvass: plain values that every part uses.
//!
//! Nothing here does I/O, with two exceptions that are passed in everywhere so that tests can control them:
//! [`Clock`] and [`Random`]. `clippy.toml` forbids all other code to read the time or draw random numbers.
//!
//! - [`time`]: instants in milliseconds, and the clock.
//! - [`random`]: the source of randomness.
//! - [`ids`]: one newtype for the key of each table; a bare integer is never an id.
//! - [`link_words()`]: words for a link, made from a title in any script.
//! - [`reader_list`]: a compact encoding of many reader ids.
//! - [`split_mix`]: a reproducible order derived from a seed.
//! - [`secret`]: values that never print themselves.
//! - [`keys`]: everything derived from the secret key: sealed link tokens per purpose, keyed hashes.
//! - [`SteadyClock`]: the time, once the clock can be believed.
//! - [`SubscriptionState`] and [`Suppression`]: what `subscriptions` and the mailer both know about a reader.
//! - [`token`]: random tokens, and their hashes at rest.
//! - [`varint`]: a compact encoding of integers.
//! - [`EmailAddress`]: addresses that mail can be sent to.

mod email_address;
pub mod ids;
pub mod keys;
mod link_words;
pub mod random;
pub mod reader_list;
pub mod secret;
pub mod split_mix;
mod steady;
mod subscription_state;
mod suppression;
pub mod time;
pub mod token;
pub mod varint;

pub use email_address::{AddressRefused, EmailAddress};
pub use ids::*;
pub use keys::{BadToken, Keys, Purpose};
pub use link_words::link_words;
pub use random::Random;
pub use secret::Secret;
pub use split_mix::SplitMix;
pub use steady::SteadyClock;
pub use subscription_state::SubscriptionState;
pub use suppression::Suppression;
pub use time::{Clock, UnixMillis};
