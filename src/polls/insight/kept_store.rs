//! The stored counts, so that every node shows the same one, also after a restart.

use sea_orm::{ConnectionTrait, DbErr, EntityTrait as _, Value};

use super::answers::Counted;
use super::store::{self, Alike};
use crate::db::entities::kept_count;
use crate::db::{Backend, Db, WriteTxn, fetch_one, run};
use crate::polls::model::{Poll, Tier};
use crate::polls::statistics::cells::SMALLEST_CELL;
use crate::types::{OptionId, PollId};

/// The stored count of a poll.
pub async fn kept<C: ConnectionTrait>(db: &C, poll: PollId) -> Result<Option<Counted>, DbErr> {
    let Some(row) = kept_count::Entity::find_by_id(poll).one(db).await? else {
        return Ok(None);
    };
    let said: Vec<(Vec<i64>, i64)> = serde_json::from_str(&row.said)
        .map_err(|e| DbErr::Custom(format!("kept_count.said: {e}")))?;
    let alike: Vec<Alike> = said
        .into_iter()
        .map(|(options, n)| Alike {
            options: options.into_iter().map(OptionId).collect(),
            n,
        })
        .collect();
    Ok(Some(Counted {
        ballots: alike.iter().map(|alike| alike.n).sum(),
        alike,
        at: row.counted_ms,
        tier: Tier::from_code(row.tier),
    }))
}

/// Stores `counted`. Returns false if the stored count differs by fewer than [`SMALLEST_CELL`] ballots and is kept,
/// or if the poll is sealed.
pub async fn keep(db: &Db, poll: PollId, counted: &Counted) -> Result<bool, DbErr> {
    let said: Vec<(Vec<i64>, i64)> = counted
        .alike
        .iter()
        .map(|alike| (alike.options.iter().map(|id| id.0).collect(), alike.n))
        .collect();
    let said =
        serde_json::to_string(&said).map_err(|e| DbErr::Custom(format!("kept_count.said: {e}")))?;
    let txn = db.write_txn("keep count").await?;
    // The sealing deletes the row, and none may be added afterwards.
    let lock = match db.backend() {
        Backend::Postgres => " FOR SHARE",
        Backend::Sqlite => "",
    };
    let open = format!("SELECT 1 FROM poll WHERE id = $1 AND sealed_ms IS NULL{lock}");
    if fetch_one(&*txn, open, [poll.into()]).await?.is_none() {
        return Ok(false);
    }
    let sql = "INSERT INTO kept_count (poll_id, tier, ballots, counted_ms, said) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (poll_id) DO UPDATE SET tier = excluded.tier, ballots = excluded.ballots, \
               counted_ms = excluded.counted_ms, said = excluded.said \
               WHERE kept_count.tier <> excluded.tier OR ABS(kept_count.ballots - excluded.ballots) >= $6";
    let values: [Value; 6] = [
        poll.into(),
        counted.tier.code().into(),
        counted.ballots.into(),
        counted.at.into(),
        said.into(),
        SMALLEST_CELL.into(),
    ];
    let kept = run(&*txn, sql, values).await?.rows_affected() == 1;
    txn.commit().await?;
    Ok(kept)
}

/// For the transaction that seals `poll`, before it deletes the stored count: if the final count is another one and yet
/// too near to have replaced it, editors do not see the final one either, because the difference would be the ballots
/// of a few readers. Keeping the stored count instead would leave both in the database.
pub async fn withhold(txn: &WriteTxn, backend: Backend, poll: &Poll) -> Result<(), DbErr> {
    let Some(kept) = kept(&**txn, poll.id).await? else {
        return Ok(());
    };
    let Some(last) = store::alike(&**txn, backend, poll.id, poll.headline_tier).await? else {
        return Ok(());
    };
    let ballots: i64 = last.iter().map(|alike| alike.n).sum();
    if kept.is_near(ballots, poll) && kept.alike != last {
        let sql = "UPDATE poll SET tables_withheld = 1 WHERE id = $1";
        run(&**txn, sql, [poll.id.into()]).await?;
    }
    Ok(())
}

/// Whether the tables of a sealed poll are withheld.
pub async fn is_withheld(db: &Db, poll: PollId) -> Result<bool, DbErr> {
    let sql = "SELECT 1 FROM poll WHERE id = $1 AND tables_withheld = 1";
    Ok(fetch_one(db.read(), sql, [poll.into()]).await?.is_some())
}
