//! Bounces and complaints that come back as mail.
//!
//! A mail server pipes what it gets for the bounce domain into `canvass bounce`, one mail at a time (see
//! `deploy/mail-dns.md`). The return path says which mail it is about, sealed, so nobody can bounce somebody else;
//! `read` says what it means (by its machine-readable part, `fields`; else by who wrote it, `writer`, and the words before the copy of our
//! mail, `text` and `said`); [`take`] does it:
//!
//! | it says | what happens |
//! |---|---|
//! | no such address | every subscription of the reader ends as *bounced*, the address is suppressed |
//! | no such domain | the same when it is said of a second issue, too, and no mail arrived between |
//! | a complaint (ARF) | every subscription ends as *complained*, the address is suppressed; of a single mail as well, unless it went to an editor |
//! | an opt-out (ARF) | the reader leaves that newsletter |
//! | full, closed for now, too late | noted; five issues within 14 days with no mail arriving between end it as a bounce |
//! | about us: blocked, policy, authentication | noted; it never costs a reader anything |
//! | delivered, delayed, an auto-reply, anything else | nothing |
//!
//! Reports are kept for 400 days ([`purge`]).
//!
//! Promises: the same report twice changes nothing the second time; nothing is ever answered; no address in a log line.

mod fields;
mod purge;
mod read;
mod said;
mod store;
mod take;
mod text;
mod writer;

pub use purge::purge;
pub use read::{Kind, Report, read};
pub use take::{Taken, take};
