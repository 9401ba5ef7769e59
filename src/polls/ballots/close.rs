//! A permanent close: once a poll was seen closed by its time, a clock that is set back does not open it again.
//!
//! The sealing counts from the moment of the close. If the clock was ahead then, that moment lies in the future, and the
//! secret would be kept for as long as the clock was wrong: [`watch`] sets it back.

use sea_orm::sea_query::{Expr, ExprTrait as _, SimpleExpr};
use sea_orm::{
    ColumnTrait as _, DbErr, EntityTrait as _, QueryFilter as _, SelectExt as _, UpdateMany, Value,
};

use crate::db::entities::poll;
use crate::db::{Db, find_values, run};
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

/// Finds polls whose closing time has passed while nobody answered, and closes that were seen by a clock that was ahead.
pub async fn watch(db: &Db, now: UnixMillis) -> Result<(), DbErr> {
    let due = poll::Entity::find().filter(due(now));
    if due.exists(db.read()).await? {
        let txn = db.write_txn("poll-closed").await?;
        seen_closed(now).exec(&*txn).await?;
        txn.commit().await?;
    }
    set_back(db, now).await
}

/// Nodes whose clocks differ by less need no correction.
const AHEAD_MS: i64 = 60_000;

/// Closes later than $1, at least a minute from now. A clock that says a time before the poll existed is wrong itself,
/// and corrects nothing. A close at the poll's own closing time is as early as it can be.
const AHEAD: &str = "closed_ms > $1 AND sealed_ms IS NULL AND created_ms <= $2 AND (state = $3 OR closed_ms > closes_ms)";

/// The polls stay closed. A poll that closes by its time counts as closed then at the earliest, since an earlier moment
/// would open it again; so nothing is destroyed before the days after its close.
async fn set_back(db: &Db, now: UnixMillis) -> Result<(), DbErr> {
    let by_editor = PollState::Closed.code();
    let ahead: [Value; 3] = [(now.0 + AHEAD_MS).into(), now.into(), by_editor.into()];
    let found = format!("SELECT id FROM poll WHERE {AHEAD}");
    let found: Vec<PollId> = find_values(db.read(), &found, ahead.clone()).await?;
    if found.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "UPDATE poll SET closed_ms = CASE WHEN state = $4 OR closes_ms <= $5 THEN $6 ELSE closes_ms END, \
         revision = revision + 1 WHERE {AHEAD}"
    );
    let to: [Value; 3] = [by_editor.into(), now.into(), now.into()];
    let txn = db.write_txn("poll-closed").await?;
    run(&*txn, sql, ahead.into_iter().chain(to)).await?;
    txn.commit().await?;
    for poll in found {
        tracing::warn!(
            poll = poll.0,
            "a poll was closed by a clock that was ahead: its days until the sealing count from now"
        );
    }
    Ok(())
}
