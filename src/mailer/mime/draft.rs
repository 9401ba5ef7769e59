//! The content of a mail, before it is encoded.

use super::slots::Slots;
use crate::types::EmailAddress;

/// A name and an address.
#[derive(Clone, Debug)]
pub struct Mailbox {
    /// The display name; may be empty.
    pub name: String,
    /// The address.
    pub address: EmailAddress,
}

/// A mail with open slots.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The sender; its domain is also that of the Message-ID.
    pub from: Mailbox,
    /// The Reply-To address, if it is not the sender.
    pub reply_to: Option<Mailbox>,
    /// The subject; may hold markers.
    pub subject: String,
    /// The text body, readable on its own.
    pub text: String,
    /// The HTML body, CSS already inlined.
    pub html: String,
    /// The slots whose markers occur in subject and bodies.
    pub slots: Slots,
    /// The list headers of bulk mail, which can be unsubscribed from; `None` for single mails.
    pub list: Option<ListHeaders>,
}

/// The headers that tell a receiver about a mailing list (RFC 2369, 2919, 8058).
#[derive(Clone, Debug)]
pub struct ListHeaders {
    /// The list's name for people.
    pub name: String,
    /// `slug.host`; it must never change (RFC 2919).
    pub id: String,
    /// The numbers that the token of the unsubscribe link carries before the reader's id.
    pub unsubscribe: Vec<i64>,
    /// URL of the page about the list.
    pub help: String,
    /// Address of the people behind it.
    pub owner: String,
    /// URL of the archive, if there is a public one.
    pub archive: Option<String>,
    /// `issue:list:stream:sender`, by which Gmail's postmaster tools group mails. Contains nothing personal.
    pub feedback_id: String,
}
