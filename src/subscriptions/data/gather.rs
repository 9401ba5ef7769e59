//! All data that is kept about one reader, for display and export.

use serde::Serialize;

use crate::app::App;
use crate::db::DbErr;
use crate::mailer::mailing::DeliveryState;
use crate::mailer::outbox::{self, MailState};
use crate::polls::{self, LinkedAnswer, SaidAnswer};
use crate::subscriptions::confirm::parse_own;
use crate::subscriptions::model::State;
use crate::subscriptions::store::{one_reader, subscribers};
use crate::types::{ReaderId, UnixMillis};

/// Everything, in the form of the exported file. Times are RFC 3339.
#[derive(Debug, Serialize)]
pub struct Kept {
    pub email: String,
    pub name: String,
    pub time_zone: Option<String>,
    pub since: String,
    pub subscriptions: Vec<Subscribed>,
    pub consents: Vec<Agreed>,
    /// Answers that the reader agreed to have linked to the address. No other answer can be found.
    pub linked_answers: Vec<Answer>,
    pub issues: Vec<Mailed>,
    /// Confirmations and other single mails, for as long as their rows are kept.
    pub single_mails: Vec<Single>,
}

#[derive(Debug, Serialize)]
pub struct Subscribed {
    pub newsletter: String,
    pub state: &'static str,
    pub confirmed_at: String,
    pub changed_at: String,
    pub reason: String,
}

/// A consent to receive mail.
#[derive(Debug, Serialize)]
pub struct Agreed {
    pub newsletter: String,
    pub words: String,
    pub version: i64,
    pub page: String,
    pub source: String,
    pub asked_at: String,
    pub confirmed_at: String,
    pub withdrawn_at: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Answer {
    pub poll: String,
    pub answers: Vec<SaidAnswer>,
    /// The consent text and its version.
    pub words: String,
    pub version: i64,
    pub agreed_at: String,
    pub linked_at: String,
    pub changed_at: String,
}

/// An issue that was sent to the reader, or was to be.
#[derive(Debug, Serialize)]
pub struct Mailed {
    pub subject: String,
    pub state: &'static str,
    pub at: String,
}

/// A single mail that was sent to the address, or was to be.
#[derive(Debug, Serialize)]
pub struct Single {
    pub kind: String,
    pub state: &'static str,
    pub at: String,
}

/// Gathers all data about a reader; `None` if the reader was erased.
pub async fn gather(app: &App, reader: ReaderId) -> Result<Option<Kept>, DbErr> {
    let db = &app.db;
    let (Some(found), Some(row)) = (
        subscribers::reader(db.read(), reader).await?,
        one_reader::reader(db, reader).await?,
    ) else {
        return Ok(None);
    };
    let subscriptions = one_reader::subscriptions(db, reader).await?.into_iter();
    let consents = one_reader::consents(db, reader).await?.into_iter();
    let mails = one_reader::mails(db, reader, i64::MAX).await?.into_iter();
    let answers = polls::linked_answers(app, reader).await?.into_iter();
    let hash = app.keys.address_hash(parse_own(&found.email)?.key());
    let singles = outbox::went_to(app, &hash).await?.into_iter();
    Ok(Some(Kept {
        email: found.email,
        name: found.name,
        time_zone: found.time_zone,
        since: at(row.since),
        subscriptions: subscriptions
            .map(|s| Subscribed {
                newsletter: s.newsletter,
                state: state(s.state),
                confirmed_at: at(s.confirmed),
                changed_at: at(s.changed),
                reason: s.reason,
            })
            .collect(),
        consents: consents
            .map(|c| Agreed {
                newsletter: c.newsletter,
                words: c.body,
                version: c.version,
                page: c.page,
                source: c.source,
                asked_at: at(c.requested),
                confirmed_at: at(c.confirmed),
                withdrawn_at: c.withdrawn.map(at),
            })
            .collect(),
        linked_answers: answers.map(Answer::of).collect(),
        issues: mails
            .map(|m| Mailed {
                subject: m.subject,
                state: delivered(m.state),
                at: at(m.at),
            })
            .collect(),
        single_mails: singles
            .map(|single| Single {
                kind: single.template,
                state: single_state(single.state),
                at: at(single.at),
            })
            .collect(),
    }))
}

impl Answer {
    fn of(answer: LinkedAnswer) -> Self {
        Self {
            poll: answer.slug,
            answers: answer.answers,
            words: answer.words,
            version: answer.version,
            agreed_at: at(answer.agreed),
            linked_at: at(answer.linked),
            changed_at: at(answer.changed),
        }
    }
}

fn at(at: UnixMillis) -> String {
    at.to_string()
}

fn state(code: i16) -> &'static str {
    match State::from_code(code) {
        Some(State::Active) => "active",
        Some(State::Left) => "left",
        Some(State::Removed) => "removed by an editor",
        Some(State::Bounced) => "the address bounced",
        Some(State::Complained) => "called spam",
        None => "unknown",
    }
}

fn single_state(code: i16) -> &'static str {
    match MailState::of(code) {
        Some(MailState::Waiting) => "waiting",
        Some(MailState::Intent) => "being sent",
        Some(MailState::Sent) => "sent",
        Some(MailState::Failed) => "failed",
        Some(MailState::Unknown) => "in doubt",
        Some(MailState::Expired) | None => "not sent in time",
    }
}

fn delivered(code: i16) -> &'static str {
    match DeliveryState::of(code) {
        Some(DeliveryState::Sent) => "sent",
        Some(DeliveryState::Deferred) => "deferred",
        Some(DeliveryState::Failed) => "failed",
        Some(DeliveryState::Unknown) => "in doubt",
        Some(DeliveryState::Skipped) => "skipped",
        Some(DeliveryState::Intent) | None => "being sent",
    }
}
