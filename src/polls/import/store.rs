//! The imported polls: `poll_import`.

use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait as _, DbErr, EntityTrait as _, QueryFilter as _};

use crate::db::entities::poll_import;
use crate::db::{Db, WriteTxn};
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
    let row = poll_import::Entity::find_by_id(key.to_owned())
        .one(db.read())
        .await?;
    Ok(row.map(|row| Known {
        poll: row.poll_id,
        done: row.done_ms.is_some(),
    }))
}

/// Records that `key` becomes `poll`, in the transaction that creates it.
///
/// # Errors
/// A database error, including a key that already exists.
pub async fn begin(txn: &WriteTxn, key: &str, poll: PollId, now: UnixMillis) -> Result<(), DbErr> {
    let row = poll_import::ActiveModel {
        source_key: Set(key.to_owned()),
        poll_id: Set(poll),
        begun_ms: Set(now),
        done_ms: Set(None),
    };
    poll_import::Entity::insert(row)
        .exec_without_returning(&**txn)
        .await
        .map(drop)
}

/// Records that the import of this poll is complete.
pub async fn finish(txn: &WriteTxn, key: &str, now: UnixMillis) -> Result<(), DbErr> {
    poll_import::Entity::update_many()
        .col_expr(poll_import::Column::DoneMs, Expr::value(now))
        .filter(poll_import::Column::SourceKey.eq(key))
        .exec(&**txn)
        .await
        .map(drop)
}
