//! The table `bounce`, and what the ledger says of a reader's last mails.

use super::read::Kind;
use crate::db::{Backend, DbErr, WriteTxn, fetch_one, run};
use crate::types::{IssueId, NewsletterId, ReaderId, UnixMillis};

/// Holds a reader's row until the commit: of two reports at the same moment the second counts the first. On SQLite writers come one after
/// the other anyway.
pub(super) async fn hold(txn: &WriteTxn, backend: Backend, reader: ReaderId) -> Result<(), DbErr> {
    if backend == Backend::Postgres {
        let sql = "SELECT 1 FROM reader WHERE id = $1 FOR UPDATE";
        fetch_one(&**txn, sql, [reader.0.into()]).await?;
    }
    Ok(())
}

/// Notes what was said of a mail; `false` when it was noted before.
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

/// How many issues bounced like this for a reader since then.
pub(super) async fn issues(
    txn: &WriteTxn,
    reader: ReaderId,
    kind: Kind,
    since: UnixMillis,
) -> Result<i64, DbErr> {
    let row = fetch_one(
        &**txn,
        "SELECT COUNT(*) FROM bounce WHERE reader_id = $1 AND kind = $2 AND at_ms >= $3",
        [reader.0.into(), (kind as i16).into(), since.0.into()],
    )
    .await?;
    row.map_or(Ok(0), |row| row.try_get_by_index(0))
}

/// When the last mail left for the reader, before `until`, that came to no bounce; the beginning of time if none did.
pub(super) async fn last_arrival(
    txn: &WriteTxn,
    reader: ReaderId,
    until: UnixMillis,
) -> Result<UnixMillis, DbErr> {
    let row = fetch_one(
        &**txn,
        "SELECT COALESCE(MAX(d.at_ms), 0) FROM issue i JOIN delivery d ON d.issue_id = i.id AND d.reader_id = $1
         WHERE d.state = 2 AND d.at_ms < $2
           AND NOT EXISTS (SELECT 1 FROM bounce b WHERE b.reader_id = d.reader_id AND b.issue_id = d.issue_id)",
        [reader.0.into(), until.0.into()],
    )
    .await?;
    row.map_or(Ok(UnixMillis(0)), |row| {
        Ok(UnixMillis(row.try_get_by_index(0)?))
    })
}

/// Forgets what was said before then; gives how many rows went.
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
    let row = fetch_one(&**txn, sql, [issue.0.into()]).await?;
    row.map(|row| Ok(NewsletterId(row.try_get_by_index(0)?)))
        .transpose()
}
