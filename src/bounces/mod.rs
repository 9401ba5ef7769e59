//! Bounces and complaints that come back as mail.
//!
//! A mail server pipes the mail for the bounce domain into `canvass bounce`, one mail at a time (see
//! `deploy/mail-dns.md`). The return path says which mail a report is about; it is encrypted, so nobody can forge a
//! bounce for another reader. `read` finds out what the report means: from its machine-readable part (`fields`), or
//! else from its author (`writer`) and the words before the copy of our mail (`text` and `said`). [`take()`] acts on
//! it:
//!
//! | the report says | what happens |
//! |---|---|
//! | no such address | every subscription of the reader ends as *bounced*, the address is suppressed |
//! | no such domain | the same, once a second issue bounced like this a day or more later and no mail arrived in between |
//! | a complaint (ARF) | every subscription ends as *complained*, the address is suppressed; of a single mail as well, unless it went to an editor |
//! | an opt-out (ARF) | the reader leaves that newsletter |
//! | full, closed for now, too late | recorded; five issues within 14 days, over at least seven, without a mail arriving in between count as a bounce |
//! | about us: blocked, policy, authentication | recorded; it never costs a reader anything |
//! | not authenticated (ARF) | recorded, for the operator |
//! | delivered, delayed, an auto-reply, anything else | nothing |
//!
//! What a relay says at once when it is given the mail counts by the same rule (`mailer::mailing::enough`).
//!
//! Too many addresses that do not exist, complaints, or refusals because of us pause the issue they are about, if it is
//! still being sent.
//!
//! Reports are kept for 400 days ([`purge()`]); `store` has the queries about them.
//!
//! Promises: a repeated report changes nothing; no report is ever answered; no address in a log line.

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
