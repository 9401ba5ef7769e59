//! The numbers of the overview, read across the tables of all features.

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult};

use crate::db::{find_all, find_one};
use crate::mailer::outbox::MailState;
use crate::polls::PollState;
use crate::types::{SubscriptionState, UnixMillis};

/// How far the installation has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromQueryResult)]
pub struct Progress {
    pub newsletters: i64,
    /// The oldest poll that is not a draft.
    pub poll: Option<String>,
    pub open_polls: i64,
    pub answers: i64,
    /// Mails of the template `test` that were enqueued.
    pub tests: i64,
    pub issues: i64,
    /// Issues handed to the mailer.
    pub sent_issues: i64,
    /// Single mails in the queue.
    pub waiting: i64,
}

/// Reads how far the installation has come.
pub async fn progress<C: ConnectionTrait>(db: &C, now: UnixMillis) -> Result<Progress, DbErr> {
    let (draft, published) = (PollState::Draft.code(), PollState::Published.code());
    let waiting = MailState::is_one_of(&MailState::WAITING);
    let sql = format!(
        "SELECT (SELECT COUNT(*) FROM newsletter) AS newsletters, \
        (SELECT slug FROM poll WHERE state <> {draft} ORDER BY id LIMIT 1) AS poll, \
        (SELECT COUNT(*) FROM poll WHERE state = {published} AND (opens_ms IS NULL OR opens_ms <= $1) \
            AND (closes_ms IS NULL OR closes_ms > $1)) AS open_polls, \
        (SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM tally WHERE option_id = 0) AS answers, \
        (SELECT COUNT(*) FROM outbox WHERE template = 'test') AS tests, \
        (SELECT COUNT(*) FROM issue) AS issues, \
        (SELECT COUNT(*) FROM mailing) AS sent_issues, \
        (SELECT COUNT(*) FROM outbox WHERE {waiting}) AS waiting"
    );
    let progress = find_one(db, sql, [now.into()]).await?;
    Ok(progress.unwrap_or_default())
}

/// A newsletter and the numbers of its readers.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Audience {
    pub slug: String,
    pub name: String,
    pub active: i64,
    /// Readers who left, were removed, bounced or complained.
    pub gone: i64,
}

/// Every newsletter with the numbers of its readers, by name.
pub async fn audiences<C: ConnectionTrait>(db: &C) -> Result<Vec<Audience>, DbErr> {
    let active = SubscriptionState::Active.code();
    let sql = format!(
        "SELECT slug, name, \
         (SELECT COUNT(*) FROM subscription s WHERE s.newsletter_id = n.id AND s.state = {active}) AS active, \
         (SELECT COUNT(*) FROM subscription s WHERE s.newsletter_id = n.id AND s.state > {active}) AS gone \
         FROM newsletter n ORDER BY name, id"
    );
    find_all(db, sql, []).await
}
