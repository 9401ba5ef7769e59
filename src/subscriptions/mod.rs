//! Readers and what they subscribed to.

mod admin;
pub mod import;
pub mod model;
pub mod reader_name;

pub use admin::{PAGES as ADMIN_PAGES, routes as admin_routes};
pub use import::{Order as ImportOrder, Stopped as ImportStopped, run as import_readers};

use crate::types::{EmailAddress, Keys};

/// The form in which an address lies in the tables of suppressed addresses and of caps: a keyed hash, so that it outlives erasure
/// without being an address.
#[must_use]
pub fn address_hash(keys: &Keys, address: &EmailAddress) -> [u8; 32] {
    keys.hash("address", address.key().as_bytes())
}
