//! Mail: from "this has to be sent" to "the relay took it", or a row that says why not.
//!
//! - [`smtp`]: one conversation after another over a long-lived connection;
//! - [`reply`]: what a server's answer means;
//! - [`mime`]: messages as bytes, and editions that are compiled once and filled per recipient.
//! - [`templates`]: what mails look like.
//!
//! The mailer knows no feature: what a mail says, and who should get it, is handed to it.

pub mod mime;
pub mod reply;
pub mod smtp;
pub mod templates;
