//! The table `idempotency`, one key at a time. `once_store` serves many requests in one transaction.

use http::StatusCode;
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, TryInsertResult};

use crate::db::entities::idempotency;
use crate::db::{Db, DbErr, WriteTxn};
use crate::types::{ApiTokenId, UnixMillis};

/// Claims a key for a request with this hash. Returns false if the key is taken. Of two concurrent requests, the second
/// waits here for the first to commit (PostgreSQL) or for the writer (SQLite).
pub(super) async fn claim(
    txn: &WriteTxn,
    token: ApiTokenId,
    key: &str,
    request: &[u8],
    now: UnixMillis,
) -> Result<bool, DbErr> {
    let row = idempotency::ActiveModel {
        token_id: Set(token),
        idempotency_key: Set(key.to_owned()),
        request_hash: Set(request.to_vec()),
        status: Set(0),
        body: Set(String::new()),
        created_ms: Set(now),
    };
    let claimed = idempotency::Entity::insert(row)
        .on_conflict_do_nothing()
        .exec_without_returning(&**txn)
        .await?;
    Ok(matches!(claimed, TryInsertResult::Inserted(1..)))
}

/// The request that took a key, and the response to it.
pub(super) async fn taken(
    txn: &WriteTxn,
    token: ApiTokenId,
    key: &str,
) -> Result<Option<idempotency::Model>, DbErr> {
    idempotency::Entity::find_by_id((token, key.to_owned()))
        .one(&**txn)
        .await
}

/// Stores the response to the request that claimed a key.
pub(super) async fn answer(
    txn: &WriteTxn,
    token: ApiTokenId,
    key: &str,
    status: StatusCode,
    body: &str,
) -> Result<(), DbErr> {
    idempotency::Entity::update_many()
        .set(idempotency::ActiveModel {
            status: Set(status.as_u16() as i16),
            body: Set(body.to_owned()),
            ..Default::default()
        })
        .filter(idempotency::Column::TokenId.eq(token))
        .filter(idempotency::Column::IdempotencyKey.eq(key))
        .exec(&**txn)
        .await
        .map(drop)
}

/// Deletes the keys claimed before `before`, with their responses. Returns how many.
pub(super) async fn purge(db: &Db, before: UnixMillis) -> Result<u64, DbErr> {
    let old = "DELETE FROM idempotency WHERE created_ms < $1";
    db.purge("purge idempotency keys", old, "created_ms", before)
        .await
}
