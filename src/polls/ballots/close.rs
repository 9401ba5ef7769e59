//! A permanent close: once a poll was seen closed by its time, a clock that is set back does not open it again.

use sea_orm::{DbErr, Value};

use crate::db::{Db, fetch_one, in_list, run};
use crate::types::{PollId, UnixMillis};

/// Records that these polls were seen closed at `now`. This is a transaction of its own: the commit that refused the
/// answers holds a shared lock on the poll, and two nodes that both try to upgrade theirs would deadlock.
pub async fn remember(db: &Db, now: UnixMillis, polls: &[PollId]) -> Result<(), DbErr> {
    if polls.is_empty() {
        return Ok(());
    }
    let txn = db.write_txn("poll-closed").await?;
    let sql = format!(
        "UPDATE poll SET closed_ms = $1 WHERE closed_ms IS NULL AND state = 1 AND closes_ms <= $2 AND id IN {}",
        in_list(polls.len(), 2)
    );
    let values: Vec<Value> = [now.into(), now.into()]
        .into_iter()
        .chain(polls.iter().map(|id| (*id).into()))
        .collect();
    run(&*txn, sql, values).await?;
    txn.commit().await
}

/// Finds polls whose closing time has passed while nobody answered.
pub async fn watch(db: &Db, now: UnixMillis) -> Result<(), DbErr> {
    let due =
        "SELECT 1 FROM poll WHERE state = 1 AND closed_ms IS NULL AND closes_ms <= $1 LIMIT 1";
    if fetch_one(db.read(), due, [now.into()]).await?.is_none() {
        return Ok(());
    }
    let txn = db.write_txn("poll-closed").await?;
    let sql =
        "UPDATE poll SET closed_ms = $1 WHERE closed_ms IS NULL AND state = 1 AND closes_ms <= $2";
    run(&*txn, sql, [now.into(), now.into()]).await?;
    txn.commit().await
}
