//! An edition as one reader would get it: by the code that sends.

use crate::{
    app::App,
    db::{DbErr, WriteTxn},
    mailer::{
        mime::{Edition, Recipient, Sending, View},
        outbox,
    },
    types::{EmailAddress, OutboxId, ReaderId},
};

/// The reader whose links a preview bears: nobody.
const NOBODY: ReaderId = ReaderId(0);

/// An edition filled for a reader of this address and name, as a mail client would show it.
#[must_use]
pub fn preview(app: &App, edition: &Edition, address: &str, name: Option<&str>) -> View {
    let recipient = Recipient {
        reader: NOBODY,
        address,
        name,
    };
    let origin = app.config.origin();
    let sending = Sending {
        keys: &app.keys,
        public_url: &origin,
        now: app.clock.now(),
        message_id: &format!("<preview@{}>", edition.domain()),
    };
    let mut raw = Vec::new();
    edition.fill(&recipient, &sending, &mut raw);
    View::of(&raw)
}

/// Sends an edition to one address, in the caller's transaction. Its links belong to nobody, so that trying them out
/// changes nothing.
///
/// # Errors
/// What the database said.
pub async fn send_test(
    txn: &WriteTxn,
    app: &App,
    edition: &Edition,
    to: &EmailAddress,
    name: Option<&str>,
) -> Result<OutboxId, DbErr> {
    outbox::enqueue_edition(txn, app, edition, to, name).await
}
