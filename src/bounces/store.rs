//! Queries about reports. They are recorded by [`mailing::note`](crate::mailer::mailing::note), together with what
//! relays say at once.

use crate::db::{Backend, Db, DbErr, WriteTxn, fetch_one, find_value};
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

/// Deletes reports from before that time, and returns the number of rows.
pub(super) async fn forget(db: &Db, before: UnixMillis) -> Result<u64, DbErr> {
    let old = "DELETE FROM bounce WHERE at_ms < $1";
    db.purge("purge bounces", old, "reader_id", before).await
}

/// The newsletter of an issue.
pub(super) async fn newsletter(
    txn: &WriteTxn,
    issue: IssueId,
) -> Result<Option<NewsletterId>, DbErr> {
    let sql = "SELECT newsletter_id FROM issue WHERE id = $1";
    find_value(&**txn, sql, [issue.0.into()]).await
}
