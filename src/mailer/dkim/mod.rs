//! DKIM (RFC 6376): every mail leaves signed by the domain of its sender.
//!
//! - `store` ([`create`], [`import`], [`activate`], [`retire`], [`list`]): the keys, which are stored encrypted in
//!   the database;
//! - [`record`]: the DNS record a domain has to publish, and checks of what it does publish;
//! - `key`, `canonical`, `sign`: pure: a private key, the relaxed form of a message, the signatures;
//! - `keyring`: the signing keys in memory, refreshed every few seconds, so that a new key is used without a restart.
//!
//! A mail has one signature for each active key of its domain: rsa-2048, which everybody verifies, and ed25519 (RFC
//! 8463), which is small. Both cover the same headers and body, which are canonicalised and hashed once.
//!
//! The states of a key: *waiting* (its record is being published) → *signing* → *waiting* again when another key takes
//! its place → *retired*: its private half is erased; its record must stay published while mails that it signed are in
//! transit. One key of each algorithm signs for a domain. A key also signs for subdomains, unless they have a key of
//! their own.
//!
//! Promises: no `l=` (nothing can be appended), no `i=`, no expiry; the headers that a reader acts upon are
//! over-signed, so that a second From or Subject breaks the signature. A domain without a key sends unsigned; `canvass
//! check` says so.

mod canonical;
mod key;
mod keyring;
pub mod record;
mod sign;
mod store;

pub use key::{Algorithm, KeyError};
pub(super) use keyring::Keyring;
pub use record::Record;
pub use store::{DkimError, Key, State, activate, create, import, list, retire};
