//! The counters of turnout and steps, and the ballots grouped by what they say.

use std::collections::BTreeMap;

use sea_orm::{ConnectionTrait, DbErr, FromQueryResult, Value};

use super::steps::Step;
use crate::db::{Backend, Db, WriteTxn, find_all, run, values_list};
use crate::polls::answer::stored_options;
use crate::polls::ballots::options_only;
use crate::polls::model::{Place, Tier};
use crate::types::{OptionId, PollId, UnixMillis};

/// Counts a step once, in the caller's transaction. `slot` is this node's stripe.
pub async fn count_step(txn: &WriteTxn, slot: i64, poll: PollId, step: Step) -> Result<(), DbErr> {
    add(txn, slot, step, &[(poll, Place::PollPage, 1)]).await
}

/// Adds views, in a transaction of its own.
pub async fn add_views(
    db: &Db,
    slot: i64,
    seen: &BTreeMap<(PollId, Place), i64>,
) -> Result<(), DbErr> {
    let txn = db.write_txn("poll views").await?;
    let rows: Vec<_> = seen
        .iter()
        .map(|(&(poll, place), &n)| (poll, place, n))
        .collect();
    for part in rows.chunks(500) {
        add(&txn, slot, Step::Seen, part).await?;
    }
    txn.commit().await
}

async fn add(
    txn: &WriteTxn,
    slot: i64,
    step: Step,
    rows: &[(PollId, Place, i64)],
) -> Result<(), DbErr> {
    let sql = format!(
        "INSERT INTO poll_step (poll_id, step, source, slot, n) VALUES {} \
         ON CONFLICT (poll_id, step, source, slot) DO UPDATE SET n = poll_step.n + excluded.n",
        values_list(rows.len(), 5, 0)
    );
    let values = rows.iter().flat_map(|(poll, place, n)| -> [Value; 5] {
        [
            (*poll).into(),
            step.code().into(),
            place.code().into(),
            slot.into(),
            (*n).into(),
        ]
    });
    run(&**txn, sql, values).await.map(drop)
}

/// The steps other than the ballots.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Steps {
    /// Views by place.
    pub seen: Vec<(Place, i64)>,
    pub asked: i64,
    pub confirmed: i64,
}

/// The steps of a poll, as far as they have been stored.
pub async fn steps<C: ConnectionTrait>(db: &C, poll: PollId) -> Result<Steps, DbErr> {
    let sql = "SELECT step, source, CAST(SUM(n) AS BIGINT) AS n FROM poll_step WHERE poll_id = $1 \
               GROUP BY step, source ORDER BY step, source";
    #[derive(FromQueryResult)]
    struct Row {
        step: i16,
        source: i16,
        n: i64,
    }
    let mut steps = Steps::default();
    for row in find_all::<Row>(db, sql, [poll.into()]).await? {
        match Step::from_code(row.step) {
            Step::Seen => steps.seen.push((Place::from_code(row.source), row.n)),
            Step::Asked => steps.asked += row.n,
            Step::Confirmed => steps.confirmed += row.n,
        }
    }
    Ok(steps)
}

/// First ballots in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    pub at: UnixMillis,
    pub tier: Tier,
    pub n: i64,
}

/// First ballots by hour and tier, oldest first.
pub async fn hours<C: ConnectionTrait>(db: &C, poll: PollId) -> Result<Vec<Hour>, DbErr> {
    let sql = "SELECT hour_ms, tier, CAST(SUM(n) AS BIGINT) AS n FROM poll_hour WHERE poll_id = $1 \
               GROUP BY hour_ms, tier ORDER BY hour_ms, tier";
    #[derive(FromQueryResult)]
    struct Row {
        hour_ms: UnixMillis,
        tier: i16,
        n: i64,
    }
    let rows: Vec<Row> = find_all(db, sql, [poll.into()]).await?;
    let hour = |row: Row| Hour {
        at: row.hour_ms,
        tier: Tier::from_code(row.tier),
        n: row.n,
    };
    Ok(rows.into_iter().map(hour).collect())
}

/// Ballots that say the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alike {
    pub options: Vec<OptionId>,
    pub n: i64,
}

/// The largest number of distinct combinations of answers.
const MOST_KINDS: usize = 20_000;

/// The ballots of `tier` and better, grouped by what they say, without readers' own words: ballots that differ only
/// there are alike. `None` if there are too many distinct combinations. Reads every ballot of the poll.
pub async fn alike<C: ConnectionTrait>(
    db: &C,
    backend: Backend,
    poll: PollId,
    tier: Tier,
) -> Result<Option<Vec<Alike>>, DbErr> {
    let options = options_only(backend);
    let sql = format!(
        "SELECT said, CAST(SUM(n) AS BIGINT) AS n FROM (\
         SELECT {options} AS said, COUNT(*) AS n FROM ballot WHERE poll_id = $1 AND tier >= $2 AND removed IS NULL GROUP BY 1 \
         UNION ALL SELECT choices, n FROM sealed_ballot WHERE poll_id = $3 AND tier >= $4 AND set_aside = 0) AS kinds \
         GROUP BY said LIMIT $5"
    );
    let most = i64::try_from(MOST_KINDS + 1).unwrap_or(i64::MAX);
    let values: [Value; 5] = [
        poll.into(),
        tier.code().into(),
        poll.into(),
        tier.code().into(),
        most.into(),
    ];
    #[derive(FromQueryResult)]
    struct Row {
        said: Vec<u8>,
        n: i64,
    }
    let rows: Vec<Row> = find_all(db, sql, values).await?;
    if rows.len() > MOST_KINDS {
        return Ok(None);
    }
    let mut alike: BTreeMap<Vec<OptionId>, i64> = BTreeMap::new();
    for row in &rows {
        *alike.entry(stored_options(&row.said)).or_default() += row.n;
    }
    let alike = alike.into_iter().map(|(options, n)| Alike { options, n });
    Ok(Some(alike.collect()))
}
