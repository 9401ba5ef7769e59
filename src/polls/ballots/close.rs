//! A permanent close: once a poll was seen closed by its time, a clock that is set back does not open it again.

use sea_orm::sea_query::{Expr, ExprTrait as _, SimpleExpr};
use sea_orm::{
    ColumnTrait as _, DbErr, EntityTrait as _, QueryFilter as _, SelectExt as _, UpdateMany,
};

use crate::db::Db;
use crate::db::entities::poll;
use crate::polls::model::PollState;
use crate::types::{PollId, UnixMillis};

/// The polls whose closing time has passed, but which nobody has seen closed.
fn due(now: UnixMillis) -> SimpleExpr {
    poll::Column::State
        .eq(PollState::Published.code())
        .and(poll::Column::ClosedMs.is_null())
        .and(poll::Column::ClosesMs.lte(now))
}

/// Records that those of the polls that are due were seen closed at `now`.
fn seen_closed(now: UnixMillis) -> UpdateMany<poll::Entity> {
    poll::Entity::update_many()
        .col_expr(poll::Column::ClosedMs, Expr::value(now))
        .filter(due(now))
}

/// Records that these polls were seen closed at `now`. This is a transaction of its own: the commit that refused the
/// answers holds a shared lock on the poll, and two nodes that both try to upgrade theirs would deadlock.
pub async fn remember(db: &Db, now: UnixMillis, polls: &[PollId]) -> Result<(), DbErr> {
    if polls.is_empty() {
        return Ok(());
    }
    let txn = db.write_txn("poll-closed").await?;
    seen_closed(now)
        .filter(poll::Column::Id.is_in(polls.iter().copied()))
        .exec(&*txn)
        .await?;
    txn.commit().await
}

/// Finds polls whose closing time has passed while nobody answered.
pub async fn watch(db: &Db, now: UnixMillis) -> Result<(), DbErr> {
    let due = poll::Entity::find().filter(due(now));
    if !due.exists(db.read()).await? {
        return Ok(());
    }
    let txn = db.write_txn("poll-closed").await?;
    seen_closed(now).exec(&*txn).await?;
    txn.commit().await
}
