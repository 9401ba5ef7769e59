//! The vocabulary of Canvass: pure values that every part speaks.
//!
//! Nothing here does input or output, with two named exceptions that are passed
//! in everywhere so that tests can move them: [`Clock`] and [`Random`]. All other
//! code is forbidden (by `clippy.toml`) to read the time or draw random numbers.
//!
//! - [`time`]: instants in milliseconds, and the clock.
//! - [`random`]: the source of randomness.
//! - [`ids`]: one newtype for the key of each table; a bare integer is never an id.
//! - [`link_words`]: words for a link, made of a title in any script.
//! - [`reader_list`]: many readers in few bytes.
//! - [`split_mix`]: an order that a seed stands for, the same everywhere.
//! - [`secret`]: values that never print themselves.
//! - [`keys`]: everything derived from the secret key: sealed link tokens by purpose, keyed hashes.
//! - [`SubscriptionState`]: where a subscription stands, for those who keep it and those who mail.
//! - [`token`]: random tokens, and their hashes at rest.
//! - [`varint`]: numbers in few bytes.
//! - [`EmailAddress`]: addresses that can be mailed.

mod email_address;
pub mod ids;
pub mod keys;
mod link_words;
pub mod random;
pub mod reader_list;
pub mod secret;
pub mod split_mix;
mod subscription_state;
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
pub use subscription_state::SubscriptionState;
pub use time::{Clock, UnixMillis};
