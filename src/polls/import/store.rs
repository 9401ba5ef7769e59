//! The imported polls: `poll_import`.

use sea_orm::DbErr;

use crate::db::{Db, WriteTxn, fetch_one_as, run};
use crate::types::{PollId, UnixMillis};

/// A poll that was imported before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub poll: PollId,
    /// Whether all of its ballots are in.
    pub done: bool,
}

/// The poll with this import key.
pub async fn known(db: &Db, key: &str) -> Result<Option<Known>, DbErr> {
    let sql = "SELECT poll_id, done_ms FROM poll_import WHERE source_key = $1";
    fetch_one_as(db.read(), sql, [key.into()], |row| {
        let done: Option<UnixMillis> = row.try_get("", "done_ms")?;
        Ok(Known {
            poll: row.try_get("", "poll_id")?,
            done: done.is_some(),
        })
    })
    .await
}

/// Records that `key` becomes `poll`, in the transaction that creates it.
///
/// # Errors
/// A database error, including a key that already exists.
pub async fn begin(txn: &WriteTxn, key: &str, poll: PollId, now: UnixMillis) -> Result<(), DbErr> {
    let sql = "INSERT INTO poll_import (source_key, poll_id, begun_ms) VALUES ($1, $2, $3)";
    run(&**txn, sql, [key.into(), poll.into(), now.into()])
        .await
        .map(drop)
}

/// Records that the import of this poll is complete.
pub async fn finish(txn: &WriteTxn, key: &str, now: UnixMillis) -> Result<(), DbErr> {
    let sql = "UPDATE poll_import SET done_ms = $1 WHERE source_key = $2";
    run(&**txn, sql, [now.into(), key.into()]).await.map(drop)
}
