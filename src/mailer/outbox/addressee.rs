//! Whom single mails went to, after their payload is gone: a keyed hash of the address, for as long as the row lives.
//!
//! Mails to editors have none. Whoever calls one of those spam, by mistake or not, still gets what the work needs.

use crate::app::App;
use crate::db::{self, DbErr, WriteTxn};
use crate::types::{OutboxId, UnixMillis};

/// A single mail, as the reader it went to may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Went {
    /// The name of its template.
    pub template: String,
    /// The code of its [`MailState`](super::MailState).
    pub state: i16,
    /// When it was enqueued.
    pub at: UnixMillis,
}

/// Whom a mail went to. `None` where that was never noted, or is forgotten.
pub async fn addressee(app: &App, id: OutboxId) -> Result<Option<Vec<u8>>, DbErr> {
    let sql = "SELECT address_hash FROM outbox WHERE id = $1";
    let row = db::fetch_one(app.db.read(), sql, [id.0.into()]).await?;
    row.map_or(Ok(None), |row| row.try_get_by_index(0))
}

/// Forgets whom this one mail went to; false when somebody else has done so. So what is said of a mail counts once.
pub async fn forget_one(txn: &WriteTxn, id: OutboxId) -> Result<bool, DbErr> {
    let sql = "UPDATE outbox SET address_hash = NULL WHERE id = $1 AND address_hash IS NOT NULL";
    let done = db::run(&**txn, sql, [id.0.into()]).await?;
    Ok(done.rows_affected() == 1)
}

/// Drops what waits for this address, is in hand or in doubt. Of what is in hand, what is past its final dot may still have gone.
pub async fn drop_to(txn: &WriteTxn, hash: &[u8], why: &str, now: UnixMillis) -> Result<(), DbErr> {
    // The fence: a lane that has one of them cannot put it back.
    let sql = "UPDATE outbox SET state = 5, payload = '', reply = $2, finished_ms = $3, lease_until_ms = 0, fence = fence + 1
               WHERE address_hash = $1 AND state IN (0, 1, 4)";
    let values = [hash.to_vec().into(), why.into(), now.0.into()];
    db::run(&**txn, sql, values).await.map(drop)
}

/// What waits for this address is tried at once: whoever asked for it has asked again.
pub async fn hurry(txn: &WriteTxn, hash: &[u8], now: UnixMillis) -> Result<(), DbErr> {
    let sql = "UPDATE outbox SET not_before_ms = $2 WHERE address_hash = $1 AND state = 0 AND not_before_ms > $2";
    db::run(&**txn, sql, [hash.to_vec().into(), now.0.into()])
        .await
        .map(drop)
}

/// Drops what waits for this address, and forgets that anything ever went there.
pub async fn forget(txn: &WriteTxn, hash: &[u8], why: &str, now: UnixMillis) -> Result<(), DbErr> {
    drop_to(txn, hash, why, now).await?;
    // What servers answered names the address more often than not.
    let sql = "UPDATE outbox SET address_hash = NULL, reply = $2 WHERE address_hash = $1";
    let values = [hash.to_vec().into(), why.into()];
    db::run(&**txn, sql, values).await.map(drop)
}

/// What went to this address or waits for it, the newest first.
pub async fn went_to(app: &App, hash: &[u8]) -> Result<Vec<Went>, DbErr> {
    // What was never to leave expired at its birth: nobody was mailed.
    let sql = "SELECT template, state, created_ms FROM outbox WHERE address_hash = $1 AND expires_ms > created_ms ORDER BY id DESC";
    db::fetch_all_as(app.db.read(), sql, [hash.to_vec().into()], |row| {
        Ok(Went {
            template: row.try_get_by_index(0)?,
            state: row.try_get_by_index(1)?,
            at: UnixMillis(row.try_get_by_index(2)?),
        })
    })
    .await
}
