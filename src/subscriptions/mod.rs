//! Readers and what they subscribed to.
//!
//! A **request** waits apart from readers until the owner of the address confirms it; then there are a **reader**, an active
//! **subscription** and the **consent** that proves it. States of a subscription: active → left (the reader's wish, one tap, can be taken back
//! for an hour), removed, bounced, complained. A **suppression** is a keyed hash that outlives all of them.
//!
//! Promises:
//! - the same page, and the same work, for known, unknown, pending and suppressed addresses;
//! - request and mail are one write; the mail leaves from the outbox, never in the request;
//! - GET and HEAD change nothing; each button says what it does; a second press is fine;
//! - to an address that anybody can type, at most one mail in ten minutes about a newsletter, and three a day: the first about a newsletter
//!   may go beyond that, up to six;
//! - a forwarded mail can stop its owner's newsletters and take back consents at worst; to see, export or erase takes a fresh one.
//!
//! `request` → `confirm` → `preferences`, `leave` are the use cases, `stop_reader` an editor's, and `data` what is kept about a reader; `http` and `api` the doors; [`import`] the way in for lists.

mod admin;
mod api;
mod complaint;
mod confirm;
mod data;
mod export;
mod http;
pub mod import;
mod leave;
mod links;
mod mails;
mod model;
mod preferences;
mod purge;
pub mod reader_name;
mod request;
mod sign_in;
mod stop;
mod stop_reader;
mod store;

pub use api::{Document as ApiDocument, routes as api_routes};
pub use complaint::{Held, Sought, hold, look_for};
pub use export::{ExportStopped, run as export_readers};
pub use http::{PAGES, agreed, is_current, routes};
pub use links::{manage_token, unsubscribe_token};
pub use model::{State, Suppression};
pub use preferences::{address, has_address};
pub use purge::purge;
pub use request::{Beside, Source, Wish, request, request_in};
pub use sign_in::signed_in;
pub use stop::{leave_in, stop};

pub use admin::{PAGES as ADMIN_PAGES, routes as admin_routes};
pub use import::{Order as ImportOrder, Stopped as ImportStopped, run as import_readers};
