//! The addressees of single mails: a keyed hash of the address, kept with the row after its payload is erased.
//!
//! Mails to editors have none, so that an editor who reports one as spam, by mistake or not, still gets the next ones.

use sea_orm::FromQueryResult;

use super::MailState;
use crate::app::App;
use crate::db::{self, DbErr, WriteTxn};
use crate::types::{OutboxId, UnixMillis};

/// A single mail, as its addressee may see it.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Went {
    /// The name of its template.
    pub template: String,
    /// The code of its [`MailState`].
    pub state: i16,
    /// When it was enqueued.
    #[sea_orm(from_alias = "created_ms")]
    pub at: UnixMillis,
}

/// The hashed address that a mail went to. `None` if it was never recorded, or is forgotten.
pub async fn addressee(app: &App, id: OutboxId) -> Result<Option<Vec<u8>>, DbErr> {
    let sql = "SELECT address_hash FROM outbox WHERE id = $1";
    let hash: Option<Option<Vec<u8>>> = db::find_value(app.db.read(), sql, [id.0.into()]).await?;
    Ok(hash.flatten())
}

/// Forgets the addressee of this mail; false if that was done before. So a complaint about a mail counts only once.
pub async fn forget_one(txn: &WriteTxn, id: OutboxId) -> Result<bool, DbErr> {
    let sql = "UPDATE outbox SET address_hash = NULL WHERE id = $1 AND address_hash IS NOT NULL";
    let done = db::run(&**txn, sql, [id.0.into()]).await?;
    Ok(done.rows_affected() == 1)
}

/// Drops the mails to this address that wait, are being sent or are in doubt. One that is past its final dot may still
/// be delivered.
pub async fn drop_to(txn: &WriteTxn, hash: &[u8], why: &str, now: UnixMillis) -> Result<(), DbErr> {
    // Raising the fence keeps a lane that holds one of them from putting it back.
    let sql = format!(
        "UPDATE outbox SET state = {}, payload = '', reply = $2, finished_ms = $3, lease_until_ms = 0, fence = fence + 1
         WHERE address_hash = $1 AND {}",
        MailState::Expired.code(),
        MailState::is_one_of(&MailState::OPEN)
    );
    let values = [hash.to_vec().into(), why.into(), now.0.into()];
    db::run(&**txn, sql, values).await.map(drop)
}

/// Makes the mails that wait for this address due at once, because the reader has asked again.
pub async fn hurry(txn: &WriteTxn, hash: &[u8], now: UnixMillis) -> Result<(), DbErr> {
    let sql = format!(
        "UPDATE outbox SET not_before_ms = $2 WHERE address_hash = $1 AND state = {} AND not_before_ms > $2",
        MailState::Waiting.code()
    );
    db::run(&**txn, sql, [hash.to_vec().into(), now.0.into()])
        .await
        .map(drop)
}

/// Drops the mails that wait for this address, and forgets that any were ever sent to it.
pub async fn forget(txn: &WriteTxn, hash: &[u8], why: &str, now: UnixMillis) -> Result<(), DbErr> {
    drop_to(txn, hash, why, now).await?;
    // Servers' replies often repeat the address.
    let sql = "UPDATE outbox SET address_hash = NULL, reply = $2 WHERE address_hash = $1";
    let values = [hash.to_vec().into(), why.into()];
    db::run(&**txn, sql, values).await.map(drop)
}

/// The mails that went to this address or wait for it, newest first.
pub async fn went_to(app: &App, hash: &[u8]) -> Result<Vec<Went>, DbErr> {
    // Decoys, which are never sent, expire when they are created: leave them out.
    let sql = "SELECT template, state, created_ms FROM outbox WHERE address_hash = $1 AND expires_ms > created_ms ORDER BY id DESC";
    db::find_all(app.db.read(), sql, [hash.to_vec().into()]).await
}
