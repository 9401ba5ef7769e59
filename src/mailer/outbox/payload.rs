//! The encrypted payload of a waiting mail.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::OutboxMail;
use crate::{
    app::App,
    mailer::{
        mime::{Draft, Edition, Mailbox, Recipient, Sending, Slots},
        smtp::Envelope,
        templates::Template,
        verp,
    },
    types::{EmailAddress, OutboxId, Purpose, ReaderId},
};

/// Later versions must be able to read the payload's JSON: fields may be added, never renamed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Payload {
    /// A template with its data.
    Letter {
        template: String,
        data: Value,
        from: Party,
        reply_to: Option<Party>,
        to: String,
    },
    /// A compiled edition.
    Edition {
        edition: Box<Edition>,
        to: String,
        name: Option<String>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Party {
    name: String,
    address: String,
}

/// A mail that can be sent.
pub(super) struct Letter {
    pub(super) envelope: Envelope,
    pub(super) message: Vec<u8>,
}

/// Why a waiting mail can never be sent. The message repeats nothing from the mail.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unsendable {
    #[error("the payload cannot be decrypted with the present secret keys")]
    Sealed,
    #[error("the payload does not have the format of this version")]
    Form,
    #[error("{0}")]
    Template(#[from] crate::mailer::templates::TemplateError),
    #[error("mail cannot be sent to one of the addresses")]
    Address,
}

impl Party {
    fn of(mailbox: &Mailbox) -> Self {
        Self {
            name: mailbox.name.clone(),
            address: mailbox.address.as_str().to_owned(),
        }
    }

    fn mailbox(&self) -> Result<Mailbox, Unsendable> {
        Ok(Mailbox {
            name: self.name.clone(),
            address: EmailAddress::parse(&self.address).map_err(|_| Unsendable::Address)?,
        })
    }
}

impl Payload {
    pub(super) fn letter(mail: &OutboxMail) -> Self {
        Self::Letter {
            template: mail.template.name().to_owned(),
            data: mail.data.clone(),
            from: Party::of(&mail.from),
            reply_to: mail.reply_to.as_ref().map(Party::of),
            to: mail.to.as_str().to_owned(),
        }
    }

    /// The payload as it is stored in the database.
    pub(super) fn seal(&self, app: &App) -> Result<String, serde_json::Error> {
        Ok(app.keys.seal(Purpose::Outbox, &serde_json::to_vec(self)?))
    }

    /// Decrypts a payload and composes the mail.
    pub(super) fn compose(
        app: &App,
        id: OutboxId,
        sealed: &str,
        message_id: &str,
    ) -> Result<Letter, Unsendable> {
        let bytes = app
            .keys
            .open(Purpose::Outbox, sealed)
            .map_err(|_| Unsendable::Sealed)?;
        let payload: Self = serde_json::from_slice(&bytes).map_err(|_| Unsendable::Form)?;
        let (edition, to, name) = match payload {
            Self::Edition { edition, to, name } => (*edition, to, name),
            Self::Letter {
                template,
                data,
                from,
                reply_to,
                to,
            } => {
                let template = Template::named(&template).ok_or(Unsendable::Form)?;
                let rendered = app.mail_templates.render(template, &data)?;
                let edition = Edition::compile(Draft {
                    from: from.mailbox()?,
                    reply_to: reply_to.map(|party| party.mailbox()).transpose()?,
                    subject: rendered.subject,
                    text: rendered.text,
                    html: rendered.html,
                    slots: Slots::new(app.random.bytes()),
                    list: None,
                });
                (edition, to, None)
            }
        };
        let own = verp::own(app, verp::Mail::Single(id));
        let from = own.as_deref().unwrap_or(edition.sender());
        let envelope = Envelope::new(from, &to)
            .map_err(|_| Unsendable::Address)?
            .identified(message_id);
        let recipient = Recipient {
            reader: ReaderId(0),
            address: &to,
            name: name.as_deref(),
        };
        let origin = app.config.origin();
        let sending = Sending {
            keys: &app.keys,
            public_url: &origin,
            now: app.clock.now(),
            message_id,
            mailto: own.as_deref(),
        };
        let mut message = Vec::new();
        edition.fill(&recipient, &sending, &mut message);
        app.mailer.sign(edition.domain(), sending.now, &mut message);
        let envelope = envelope.sized(message.len());
        Ok(Letter { envelope, message })
    }
}
