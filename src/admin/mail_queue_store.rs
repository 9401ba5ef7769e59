//! The queries of the mail queue page, on the mailer's tables.

use sea_orm::{DbErr, FromQueryResult};

use crate::db::{Db, find_all, find_one, find_value};
use crate::mailer::mailing::DeliveryState;
use crate::mailer::outbox::MailState;
use crate::types::{IssueId, OutboxId, UnixMillis};

/// The most single mails shown, of those that wait and of the others.
const MAILS: i64 = 50;
/// The most issues shown.
const MAILINGS: i64 = 10;

/// Single mails by state.
#[derive(Clone, Debug, Default, FromQueryResult)]
pub struct Single {
    pub waiting: i64,
    pub failed: i64,
    pub unknown: i64,
    /// When the oldest waiting mail was enqueued.
    pub oldest: Option<UnixMillis>,
    /// Waiting mails that were already tried: there is trouble with the relay or the way to it.
    pub tried: i64,
}

/// A single mail that is waiting or did not go out.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Mail {
    pub id: OutboxId,
    #[sea_orm(from_alias = "expires_ms")]
    pub expires: UnixMillis,
    pub template: String,
    pub state: i16,
    #[sea_orm(from_alias = "created_ms")]
    pub since: UnixMillis,
    #[sea_orm(from_alias = "not_before_ms")]
    pub next: UnixMillis,
    pub attempt: i64,
    pub reply: String,
}

/// An issue that is being sent, or was sent lately.
#[derive(Clone, Debug, FromQueryResult)]
pub struct Mailing {
    #[sea_orm(from_alias = "issue_id")]
    pub issue: IssueId,
    pub subject: String,
    pub state: i16,
    pub audience: i64,
    pub sent: i64,
    pub deferred: i64,
    pub failed: i64,
    pub unknown: i64,
    pub skipped: i64,
}

/// Selects real mails. Some rows are written as already expired: they stand for an address that gets no mail, so
/// that a request costs the same for every address.
const MEANT: &str = "expires_ms > 0";

/// The states of mails that did not go out.
const NOT_GONE: [MailState; 3] = [MailState::Failed, MailState::Unknown, MailState::Expired];

pub async fn single(db: &Db) -> Result<Single, DbErr> {
    let n =
        |condition: &str| format!("(SELECT COUNT(*) FROM outbox WHERE {condition} AND {MEANT})");
    let waits = MailState::is_one_of(&MailState::WAITING);
    let sql = format!(
        "SELECT {} AS waiting, {} AS failed, {} AS unknown, {} AS tried, \
         (SELECT MIN(created_ms) FROM outbox WHERE {waits} AND {MEANT}) AS oldest",
        n(&waits),
        n(&MailState::is_one_of(&[
            MailState::Failed,
            MailState::Expired
        ])),
        n(&MailState::is_one_of(&[MailState::Unknown])),
        n(&format!("{waits} AND attempt > 0")),
    );
    let single = find_one(db.read(), sql, []).await?;
    Ok(single.unwrap_or_default())
}

/// Failed mails, newest first, and then waiting ones, oldest first.
pub async fn mails(db: &Db) -> Result<Vec<Mail>, DbErr> {
    let columns = "SELECT id, expires_ms, template, state, created_ms, not_before_ms, attempt, reply FROM outbox";
    let ended = MailState::is_one_of(&NOT_GONE);
    let waits = MailState::is_one_of(&MailState::WAITING);
    let ended = format!("{columns} WHERE {ended} AND {MEANT} ORDER BY id DESC LIMIT {MAILS}");
    let waits = format!("{columns} WHERE {waits} AND {MEANT} ORDER BY id LIMIT {MAILS}");
    let mut mails: Vec<Mail> = find_all(db.read(), ended, []).await?;
    mails.extend(find_all::<Mail>(db.read(), waits, []).await?);
    Ok(mails)
}

/// The time zone of the newsroom: the one that most newsletters have; of equally frequent ones, that of the oldest
/// newsletter. `None` without any newsletter.
pub async fn time_zone(db: &Db) -> Result<Option<String>, DbErr> {
    let sql = "SELECT time_zone FROM newsletter GROUP BY time_zone ORDER BY COUNT(*) DESC, MIN(id) LIMIT 1";
    find_value(db.read(), sql, []).await
}

/// How many issues were handed to the mailer.
pub async fn all_mailings(db: &Db) -> Result<i64, DbErr> {
    let count = find_value(db.read(), "SELECT COUNT(*) FROM mailing", []).await?;
    Ok(count.unwrap_or_default())
}

/// Issues that are not finished, and those that finished lately.
pub async fn mailings(db: &Db) -> Result<Vec<Mailing>, DbErr> {
    let n = |state: DeliveryState| {
        format!(
            "(SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM issue_tally t WHERE t.issue_id = m.issue_id AND t.state = {})",
            state.code()
        )
    };
    let sql = format!(
        "SELECT m.issue_id, i.subject, m.state, m.audience, {} AS sent, {} AS deferred, {} AS failed, {} AS unknown, {} AS skipped \
         FROM mailing m JOIN issue i ON i.id = m.issue_id \
         ORDER BY CASE WHEN m.finished_ms IS NULL THEN 0 ELSE 1 END, m.issue_id DESC LIMIT {MAILINGS}",
        n(DeliveryState::Sent),
        n(DeliveryState::Deferred),
        n(DeliveryState::Failed),
        n(DeliveryState::Unknown),
        n(DeliveryState::Skipped)
    );
    find_all(db.read(), sql, []).await
}
