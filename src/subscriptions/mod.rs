//! Readers and their subscriptions.
//!
//! A **request** is kept apart from readers until the owner of the address confirms it; then there are a **reader**, an
//! active **subscription** and the **consent** that proves it. States of a subscription: active → left (by the reader,
//! with one tap; can be undone for an hour), removed, bounced, complained. A **suppression** is a keyed hash of an
//! address that must not be mailed; it outlives all of them.
//!
//! Promises:
//! - the page and the work are the same for known, unknown, pending and suppressed addresses;
//! - a request and its mail are one write; the mail is sent from the outbox, never within the HTTP request;
//! - GET and HEAD change nothing; each button says what it does; pressing it twice does no harm;
//! - an address, which anybody can type, gets at most one mail in ten minutes about a newsletter and three a day in
//!   all; the first about each newsletter may exceed the three, up to six;
//! - a forwarded mail can at worst stop its owner's newsletters and withdraw consents; seeing, exporting or erasing
//!   data takes a fresh mail.
//!
//! `request` → `confirm` → `preferences`, `leave` are the readers' use cases, `stop_reader` is the editors', and `data`
//! handles the data kept about a reader; `http` and `api` are the handlers; [`import`] brings in lists.
//!
//! `model`: states and policies. Pure. `store`: the SQL. `mails`, `links`: what is mailed, and the tokens in it.
//! `sign_in`: a browser whose reader is known. `stop`, `complaint`: mail that came back. `reader_name`: a name,
//! validated. `purge`: deletes what is no longer needed. `admin`: the editors' pages; `export`: lists for other
//! programs.

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
