//! Single mails: confirmations, invitations, test mails.
//!
//! A mail is a row, written in the transaction of its cause, so that neither exists without the other. Its payload is
//! encrypted at rest (it may hold a confirmation link), and its Message-ID is fixed when it is enqueued.
//!
//! States: *waiting* → *intent* (the final dot is about to be sent) → *sent*, *failed* with the server's words, or back to
//! *waiting* with a later `not_before_ms`; *expired* when it is of no use any more; *unknown* when it is in doubt and
//! the policy is `hold`. Finished rows lose their payload at once and are deleted after 30 days ([`purge`]). Mails to
//! readers keep a keyed hash of the address ([`addressee()`]), for complaints.
//!
//! Promise: a mail is at the relay within a second of its commit, whatever else is queued. No request waits for it.
//!
//! `payload`: what waits. `state`, `store`: its row. `send`: how a lane sends it. `order`: editors' orders.

mod addressee;
mod order;
mod payload;
mod send;
mod state;
mod store;

use serde_json::Value;

use self::{payload::Payload, store::New};
use super::{
    mime::{Edition, Mailbox},
    templates::Template,
};
use crate::{
    app::App,
    db::{DbErr, WriteTxn},
    types::{EmailAddress, OutboxId, UnixMillis, token::random_token},
};

pub use addressee::{Went, addressee, drop_to, forget, forget_one, hurry, went_to};
pub use order::{Order, drop_all, order};
pub(super) use send::work;
pub use state::MailState;
pub use store::{Depth, depth, purge};
pub(super) use store::{any_due, tick};

/// The order in which single mails are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Priority {
    /// Somebody is waiting for it right now.
    Now = 0,
    /// It may be sent a little later.
    Soon = 5,
}

/// A single mail.
#[derive(Clone, Debug)]
pub struct OutboxMail {
    /// Its template; see `email-templates/` for the data that each needs.
    pub template: Template,
    /// The data.
    pub data: Value,
    /// The sender.
    pub from: Mailbox,
    /// The Reply-To address.
    pub reply_to: Option<Mailbox>,
    /// The recipient.
    pub to: EmailAddress,
    /// Its priority.
    pub priority: Priority,
    /// After this time it is of no use, usually because its link has expired.
    pub expires: UnixMillis,
}

/// Enqueues a mail in the caller's transaction. The commit wakes the lanes, so that the mail is sent at once.
pub async fn enqueue(txn: &WriteTxn, app: &App, mail: &OutboxMail) -> Result<OutboxId, DbErr> {
    let payload = Payload::letter(mail);
    let to_reader = mail.template.is_to_a_reader();
    let new = New {
        template: mail.template.name(),
        priority: mail.priority,
        payload: &payload,
        domain: mail.from.address.domain(),
        addressee: to_reader.then(|| app.keys.address_hash(mail.to.key())),
        expires: mail.expires,
    };
    store::insert(txn, app, &new).await
}

/// Enqueues an edition for one address: a test mail.
pub(super) async fn enqueue_edition(
    txn: &WriteTxn,
    app: &App,
    edition: &Edition,
    to: &EmailAddress,
    name: Option<&str>,
) -> Result<OutboxId, DbErr> {
    let payload = Payload::Edition {
        edition: Box::new(edition.clone()),
        to: to.as_str().to_owned(),
        name: name.map(str::to_owned),
    };
    let expires = app.clock.now() + std::time::Duration::from_secs(3_600);
    let new = New {
        template: "test",
        priority: Priority::Now,
        payload: &payload,
        domain: edition.domain(),
        addressee: None,
        expires,
    };
    store::insert(txn, app, &new).await
}

/// A Message-ID for a single mail.
fn fresh_message_id(app: &App, domain: &str) -> String {
    format!("<{}@{domain}>", random_token(&app.random))
}
