//! The configuration: a reference file that is compiled in, a file of the operator's over it, and the
//! environment over both. Read once at start, validated as a whole, never changed afterwards.
//!
//! - [`reference.toml`](../../src/config/reference.toml) is the list of settings, with
//!   defaults and comments; a setting that is not in it does not exist.
//! - [`load`]: merge the three layers; every error names the setting, what was found and what is expected.
//! - [`settings`]: the typed values; `rules`: the rules between them; [`relays`]: the tables of relays and recipient domains.
//! - [`crash_point`]: where a debug build can be told to die, for the tests of crashes.
//!
//! This is the only module that reads the environment (a lint sees to it). Secrets are
//! [`Secret`](crate::types::Secret)s and print redacted.

mod crash;
mod load;
mod relays;
mod rules;
mod settings;

pub use crash::{CRASH_POINTS, SEAL_CRASH_POINTS, crash_point};
pub use load::{ConfigError, REFERENCE, arguments, environment, ignored, keys, load, program};
pub use relays::{Domain, Relay, WarmUp};
pub use settings::{
    Config, Database, Http, InDoubt, Limits, Log, LogFormat, Mail, Polls, Site, Subscriptions,
    Transport, sqlite_url,
};
