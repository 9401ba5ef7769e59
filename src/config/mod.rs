//! The configuration: a compiled-in reference file, overridden by the operator's file, overridden by the
//! environment. It is read once at start, validated as a whole, and never changed afterwards.
//!
//! - [`reference.toml`](../../src/config/reference.toml) is the list of settings, with defaults and comments; a
//!   setting that is not in it does not exist.
//! - [`load()`]: merge the three layers; every error names the setting, what was found and what is expected.
//! - `settings`: the typed values; `rules`: the rules between them; `relays`: tables of relays and recipient
//!   domains.
//! - [`crash_point`]: steps at which a debug build can be made to exit, for crash tests.
//!
//! This is the only module that reads the environment (a lint enforces it). Secrets are
//! [`Secret`](crate::types::Secret)s and print redacted.

mod crash;
mod load;
mod relays;
mod rules;
mod settings;

pub use crash::{CRASH_POINTS, SCRUB_CRASH_POINTS, SEAL_CRASH_POINTS, crash_point, steady_after};
pub use load::{ConfigError, REFERENCE, arguments, environment, ignored, keys, load, program};
pub use relays::{Domain, Relay, WarmUp};
pub use settings::{
    Config, Database, Http, InDoubt, Limits, Log, LogFormat, Mail, Polls, Site, Subscriptions,
    Transport, is_loopback_host, sqlite_url,
};
