//! An edition as one reader would get it, rendered by the code that sends.

use std::sync::Arc;

use super::lease::edition;
use crate::{
    app::App,
    db::{DbErr, WriteTxn},
    mailer::{
        mime::{Edition, Recipient, Sending, View},
        outbox,
    },
    types::{EmailAddress, IssueId, OutboxId, ReaderId},
};

/// The id in the links of a preview. No reader has it.
const NOBODY: ReaderId = ReaderId(0);

/// A typical reader, for sizes that depend on the length of ids and addresses.
const SOMEBODY: ReaderId = ReaderId(9_999_999);

/// The size of a complete mail, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// The HTML with its links, before its transfer encoding, which is what Gmail's size limit counts.
    pub html: usize,
    /// The whole message with headers and signatures, as it goes over the wire.
    pub whole: usize,
}

/// The size of an edition's mails.
#[must_use]
pub fn measure(app: &App, edition: &Edition) -> Size {
    let raw = filled(
        app,
        edition,
        SOMEBODY,
        "firstname.lastname@example.org",
        None,
    );
    Size {
        html: View::of(&raw).html.len(),
        whole: raw.len(),
    }
}

/// An edition filled in for a reader with this address and name, as a mail client would show it.
#[must_use]
pub fn preview(app: &App, edition: &Edition, address: &str, name: Option<&str>) -> View {
    View::of(&filled(app, edition, NOBODY, address, name))
}

/// The edition of an issue that was handed over, as it was frozen then; `None` before.
///
/// # Errors
/// On a database error, and if an edition cannot be read.
pub async fn frozen(app: &App, issue: IssueId) -> Result<Option<Arc<Edition>>, DbErr> {
    match edition(app, issue).await {
        Ok(edition) => Ok(Some(edition)),
        Err(DbErr::RecordNotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn filled(
    app: &App,
    edition: &Edition,
    reader: ReaderId,
    address: &str,
    name: Option<&str>,
) -> Vec<u8> {
    let recipient = Recipient {
        reader,
        address,
        name,
    };
    let origin = app.config.origin();
    let sending = Sending {
        keys: &app.keys,
        public_url: &origin,
        now: app.clock.now(),
        message_id: &format!("<preview@{}>", edition.domain()),
        mailto: None,
    };
    let mut raw = Vec::new();
    edition.fill(&recipient, &sending, &mut raw);
    app.mailer.sign(edition.domain(), sending.now, &mut raw);
    raw
}

/// Sends an edition to one address, in the caller's transaction. Its links belong to no reader, so that following them
/// changes nothing.
pub async fn send_test(
    txn: &WriteTxn,
    app: &App,
    edition: &Edition,
    to: &EmailAddress,
    name: Option<&str>,
) -> Result<OutboxId, DbErr> {
    outbox::enqueue_edition(txn, app, edition, to, name).await
}
