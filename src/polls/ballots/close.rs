//! A permanent close: once a poll was seen closed by its time, a clock that is set back does not open it again.
//!
//! The sealing counts from the moment of the close. If the clock was ahead then, that moment lies in the future, and the
//! secret would be kept for as long as the clock was wrong: [`set_back`] corrects it. If it was behind when an editor
//! closed the poll, the secret would be destroyed as soon as it is right: see [`moment`].

use sea_orm::sea_query::{Expr, ExprTrait as _, SimpleExpr};
use sea_orm::{
    ColumnTrait as _, DbErr, EntityTrait as _, FromQueryResult, QueryFilter as _, SelectExt as _,
    UpdateMany, Value,
};

use crate::db::entities::poll;
use crate::db::{Db, WriteTxn, find_all, find_value, run};
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
    if due.exists(db.read()).await? {
        let txn = db.write_txn("poll-closed").await?;
        seen_closed(now).exec(&*txn).await?;
        txn.commit().await?;
    }
    Ok(())
}

/// The latest time that the rows of poll `p` know: that of its last page, answer or removal.
const HAPPENED: &str = "(SELECT MAX(h.at_ms) FROM (SELECT l.at_ms AS at_ms FROM ballot_chain c \
     JOIN ballot_log l ON l.poll_id = c.poll_id AND l.slot = c.slot AND l.seq = c.seq WHERE c.poll_id = p.id \
     UNION ALL SELECT s.last_ms AS at_ms FROM poll_source s WHERE s.poll_id = p.id \
     UNION ALL SELECT r.at_ms AS at_ms FROM ballot_removal r WHERE r.poll_id = p.id) AS h)";

/// The moment of an editor's close at `now`: not before the last thing that happened to the poll, or a clock that is
/// behind would have the secret destroyed too early.
pub async fn moment(txn: &WriteTxn, id: PollId, now: UnixMillis) -> Result<UnixMillis, DbErr> {
    let sql = format!("SELECT {HAPPENED} FROM poll p WHERE p.id = $1");
    let happened: Option<Option<UnixMillis>> = find_value(&**txn, sql, [id.into()]).await?;
    Ok(happened
        .flatten()
        .map_or(now, |happened| Ord::max(happened, now)))
}

/// Nodes whose clocks differ by less need no correction.
const AHEAD_MS: i64 = 60_000;

/// A poll that was seen closed when it is not yet that late, and what its rows know.
#[derive(FromQueryResult)]
struct Ahead {
    id: PollId,
    closed_ms: UnixMillis,
    due_ms: Option<UnixMillis>,
    happened_ms: Option<UnixMillis>,
}

impl Ahead {
    /// The close as `now` corrects it. A poll that closes by its time counts as closed then at the earliest, since an
    /// earlier moment would open it again; so nothing is destroyed before the days after its close. If `now` is earlier
    /// than something that happened to the poll, it is not the right time either.
    fn corrected(&self, now: UnixMillis) -> UnixMillis {
        let known = [self.due_ms, self.happened_ms];
        known.into_iter().flatten().fold(now, Ord::max)
    }
}

/// Corrects closes that were seen by a clock that was ahead; the polls stay closed. The secret is destroyed the earlier
/// for it, so `now` must be the time of a [`SteadyClock`](crate::types::SteadyClock).
pub async fn set_back(db: &Db, now: UnixMillis) -> Result<(), DbErr> {
    let by_editor = PollState::Closed.code();
    let sql = format!(
        "SELECT p.id, p.closed_ms, CASE WHEN p.state <> $1 THEN p.closes_ms END AS due_ms, {HAPPENED} AS happened_ms \
         FROM poll p WHERE p.closed_ms > $2 AND p.sealed_ms IS NULL"
    );
    let values: [Value; 2] = [by_editor.into(), (now.0 + AHEAD_MS).into()];
    for poll in find_all::<Ahead>(db.read(), sql, values).await? {
        let corrected = poll.corrected(now);
        if corrected < poll.closed_ms {
            correct(db, &poll, corrected).await?;
        }
    }
    Ok(())
}

async fn correct(db: &Db, poll: &Ahead, to: UnixMillis) -> Result<(), DbErr> {
    let sql = "UPDATE poll SET closed_ms = $1, revision = revision + 1 WHERE id = $2 AND closed_ms = $3 AND sealed_ms IS NULL";
    let values: [Value; 3] = [to.into(), poll.id.into(), poll.closed_ms.into()];
    let txn = db.write_txn("poll-closed").await?;
    run(&*txn, sql, values).await?;
    txn.commit().await?;
    tracing::warn!(
        poll = poll.id.0,
        "a poll was closed by a clock that was ahead: its days until the sealing count from {to}"
    );
    Ok(())
}
