//! The table `bounce`, and queries in the ledger about a reader's last mails.

use super::read::Kind;
use crate::db::{Backend, DbErr, WriteTxn, fetch_one, find_value, run};
use crate::mailer::mailing::DeliveryState;
use crate::types::{IssueId, NewsletterId, ReaderId, UnixMillis};

/// Locks a reader's row until the commit, so that if two reports arrive at once, the second counts the first. On SQLite
/// there is only one writer anyway.
pub(super) async fn hold(txn: &WriteTxn, backend: Backend, reader: ReaderId) -> Result<(), DbErr> {
    if backend == Backend::Postgres {
        let sql = "SELECT 1 FROM reader WHERE id = $1 FOR UPDATE";
        fetch_one(&**txn, sql, [reader.0.into()]).await?;
    }
    Ok(())
}

/// Records a report about a mail; `false` if the same was recorded before.
pub(super) async fn note(
    txn: &WriteTxn,
    issue: IssueId,
    reader: ReaderId,
    kind: Kind,
    status: &str,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    let done = run(
        &**txn,
        "INSERT INTO bounce (reader_id, issue_id, kind, status, at_ms) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT DO NOTHING",
        [
            reader.0.into(),
            issue.0.into(),
            (kind as i16).into(),
            status.into(),
            now.0.into(),
        ],
    )
    .await?;
    Ok(done.rows_affected() == 1)
}

/// How many issues have bounced like this for a reader since that time.
pub(super) async fn issues(
    txn: &WriteTxn,
    reader: ReaderId,
    kind: Kind,
    since: UnixMillis,
) -> Result<i64, DbErr> {
    let n = find_value(
        &**txn,
        "SELECT COUNT(*) FROM bounce WHERE reader_id = $1 AND kind = $2 AND at_ms >= $3",
        [reader.0.into(), (kind as i16).into(), since.0.into()],
    )
    .await?;
    Ok(n.unwrap_or(0))
}

/// When the last mail before `until` was sent to the reader that did not bounce; the beginning of time if there is
/// none.
pub(super) async fn last_arrival(
    txn: &WriteTxn,
    reader: ReaderId,
    until: UnixMillis,
) -> Result<UnixMillis, DbErr> {
    let sql = format!(
        "SELECT COALESCE(MAX(d.at_ms), 0) FROM issue i JOIN delivery d ON d.issue_id = i.id AND d.reader_id = $1
         WHERE d.state = {} AND d.at_ms < $2
           AND NOT EXISTS (SELECT 1 FROM bounce b WHERE b.reader_id = d.reader_id AND b.issue_id = d.issue_id)",
        DeliveryState::Sent.code()
    );
    let last = find_value(&**txn, sql, [reader.0.into(), until.0.into()]).await?;
    Ok(last.unwrap_or(UnixMillis(0)))
}

/// Deletes reports from before that time, and returns the number of rows.
pub(super) async fn forget(txn: &WriteTxn, before: UnixMillis) -> Result<u64, DbErr> {
    let sql = "DELETE FROM bounce WHERE at_ms < $1";
    let gone = run(&**txn, sql, [before.into()]).await?;
    Ok(gone.rows_affected())
}

/// The newsletter of an issue.
pub(super) async fn newsletter(
    txn: &WriteTxn,
    issue: IssueId,
) -> Result<Option<NewsletterId>, DbErr> {
    let sql = "SELECT newsletter_id FROM issue WHERE id = $1";
    find_value(&**txn, sql, [issue.0.into()]).await
}
