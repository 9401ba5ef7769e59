//! The queries of the mail queue page, on the mailer's tables.

use sea_orm::DbErr;

use crate::db::{Db, fetch_all, fetch_all_as, fetch_one};
use crate::types::{IssueId, OutboxId, UnixMillis};

/// The most rows shown in each list.
pub const SHOWN: i64 = 50;

/// Single mails by state.
#[derive(Clone, Debug, Default)]
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
#[derive(Clone, Debug)]
pub struct Mail {
    pub id: OutboxId,
    pub expires: UnixMillis,
    pub template: String,
    pub state: i16,
    pub since: UnixMillis,
    pub next: UnixMillis,
    pub attempt: i64,
    pub reply: String,
}

/// An issue that is being sent, or was sent lately.
#[derive(Clone, Debug)]
pub struct Mailing {
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

pub async fn single(db: &Db) -> Result<Single, DbErr> {
    let n =
        |condition: &str| format!("(SELECT COUNT(*) FROM outbox WHERE {condition} AND {MEANT})");
    let sql = format!(
        "SELECT {} AS waiting, {} AS failed, {} AS unknown_, {} AS tried, \
         (SELECT MIN(created_ms) FROM outbox WHERE state IN (0, 1) AND {MEANT}) AS oldest",
        n("state IN (0, 1)"),
        n("state IN (3, 5)"),
        n("state = 4"),
        n("state IN (0, 1) AND attempt > 0"),
    );
    let Some(row) = fetch_one(db.read(), sql, []).await? else {
        return Ok(Single::default());
    };
    Ok(Single {
        waiting: row.try_get("", "waiting")?,
        failed: row.try_get("", "failed")?,
        unknown: row.try_get("", "unknown_")?,
        tried: row.try_get("", "tried")?,
        oldest: row.try_get("", "oldest")?,
    })
}

/// Failed mails, newest first, and then waiting ones, oldest first.
pub async fn mails(db: &Db) -> Result<Vec<Mail>, DbErr> {
    let columns = "SELECT id, expires_ms, template, state, created_ms, not_before_ms, attempt, reply FROM outbox WHERE state";
    let mut mails = Vec::new();
    for condition in [
        format!("{columns} IN (3, 4, 5) AND {MEANT} ORDER BY id DESC LIMIT {SHOWN}"),
        format!("{columns} IN (0, 1) AND {MEANT} ORDER BY id LIMIT {SHOWN}"),
    ] {
        for row in fetch_all(db.read(), condition, []).await? {
            mails.push(Mail {
                id: row.try_get("", "id")?,
                expires: row.try_get("", "expires_ms")?,
                template: row.try_get("", "template")?,
                state: row.try_get("", "state")?,
                since: row.try_get("", "created_ms")?,
                next: row.try_get("", "not_before_ms")?,
                attempt: row.try_get("", "attempt")?,
                reply: row.try_get("", "reply")?,
            });
        }
    }
    Ok(mails)
}

/// When the oldest batch that is not leased was due, among the issues being sent.
pub async fn oldest_due(db: &Db) -> Result<Option<UnixMillis>, DbErr> {
    let sql = "SELECT MIN(b.not_before_ms) FROM mail_batch b JOIN mailing m ON m.issue_id = b.issue_id WHERE m.state = 1 AND b.state = 0";
    let row = fetch_one(db.read(), sql, []).await?;
    row.map_or(Ok(None), |row| row.try_get_by_index(0))
}

/// The time zone of the newsroom: the one that most newsletters have; of equally frequent ones, that of the oldest
/// newsletter. `None` without any newsletter.
pub async fn time_zone(db: &Db) -> Result<Option<String>, DbErr> {
    let sql = "SELECT time_zone FROM newsletter GROUP BY time_zone ORDER BY COUNT(*) DESC, MIN(id) LIMIT 1";
    let row = fetch_one(db.read(), sql, []).await?;
    row.map(|row| row.try_get_by_index(0)).transpose()
}

/// Issues that are not finished, and those that finished lately.
pub async fn mailings(db: &Db) -> Result<Vec<Mailing>, DbErr> {
    let n = |state: i16| {
        format!(
            "(SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM issue_tally t WHERE t.issue_id = m.issue_id AND t.state = {state})"
        )
    };
    let sql = format!(
        "SELECT m.issue_id, i.subject, m.state, m.audience, {} AS sent, {} AS deferred, {} AS failed, {} AS unknown_, {} AS skipped \
         FROM mailing m JOIN issue i ON i.id = m.issue_id \
         ORDER BY CASE WHEN m.finished_ms IS NULL THEN 0 ELSE 1 END, m.issue_id DESC LIMIT 10",
        n(2),
        n(3),
        n(4),
        n(5),
        n(6)
    );
    fetch_all_as(db.read(), sql, [], |row| {
        Ok(Mailing {
            issue: row.try_get("", "issue_id")?,
            subject: row.try_get("", "subject")?,
            state: row.try_get("", "state")?,
            audience: row.try_get("", "audience")?,
            sent: row.try_get("", "sent")?,
            deferred: row.try_get("", "deferred")?,
            failed: row.try_get("", "failed")?,
            unknown: row.try_get("", "unknown_")?,
            skipped: row.try_get("", "skipped")?,
        })
    })
    .await
}
