//! What somebody wants to send, before it is bytes.

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
    /// Where answers go, if not to the sender.
    pub reply_to: Option<Mailbox>,
    /// The subject; may hold markers.
    pub subject: String,
    /// The text body, readable on its own.
    pub text: String,
    /// The HTML body, CSS already inlined.
    pub html: String,
    /// The slots whose markers stand in subject and bodies.
    pub slots: Slots,
    /// Present when this is bulk mail that one can unsubscribe from; absent for single mails.
    pub list: Option<ListHeaders>,
}

/// The headers that tell a receiver about a mailing list (RFC 2369, 2919, 8058).
#[derive(Clone, Debug)]
pub struct ListHeaders {
    /// The list's name for people.
    pub name: String,
    /// `slug.host`: stable for life (RFC 2919).
    pub id: String,
    /// What the token of the unsubscribe link carries before the reader's id.
    pub unsubscribe: Vec<i64>,
    /// URL of the page about the list.
    pub help: String,
    /// Address of the people behind it.
    pub owner: String,
    /// URL of the archive, if there is a public one.
    pub archive: Option<String>,
    /// `issue:list:stream:sender`, nothing personal: what Gmail's postmaster tools group by.
    pub feedback_id: String,
}
