//! Ballots as rows, many in a statement.

use std::collections::{BTreeMap, HashMap, HashSet};

use sea_orm::{DbErr, QueryResult, Value};

use super::slip::{Answer, Slip, VoterKey};
use crate::db::{Backend, Db, WriteTxn, fetch_all, in_list, run, values_list};
use crate::polls::choice::Choice;
use crate::polls::model::{Place, PollState, Tier};
use crate::types::{PollId, UnixMillis};

/// What the commit must know of a poll.
pub(super) struct Now {
    pub(super) state: PollState,
    pub(super) opens_at: Option<UnixMillis>,
    pub(super) closes_at: Option<UnixMillis>,
    pub(super) revision: i64,
}

pub(super) async fn polls_now(
    db: &Db,
    txn: &WriteTxn,
    group: &[Slip],
) -> Result<HashMap<PollId, Now>, DbErr> {
    let mut ids: Vec<PollId> = group.iter().map(Slip::poll).collect();
    ids.sort_unstable();
    ids.dedup();
    // FOR SHARE: an editor's close waits for this commit or this commit sees it; never both half.
    let share = if db.backend() == Backend::Postgres {
        " ORDER BY id FOR SHARE"
    } else {
        ""
    };
    let sql = format!(
        "SELECT id, state, opens_ms, closes_ms, revision FROM poll WHERE id IN {}{share}",
        in_list(ids.len(), 0)
    );
    let rows = fetch_all(&**txn, sql, ids.into_iter().map(Value::from)).await?;
    rows.iter()
        .map(|row| {
            let now = Now {
                state: PollState::from_code(row.try_get("", "state")?),
                opens_at: row.try_get("", "opens_ms")?,
                closes_at: row.try_get("", "closes_ms")?,
                revision: row.try_get("", "revision")?,
            };
            Ok((row.try_get("", "id")?, now))
        })
        .collect()
}

/// Inserts every ballot that has none yet, in key order (two nodes cannot lock each other out); says which were new.
pub(super) async fn insert(
    txn: &WriteTxn,
    last: &BTreeMap<(PollId, VoterKey), &Answer>,
    now: UnixMillis,
) -> Result<HashSet<(PollId, VoterKey)>, DbErr> {
    if last.is_empty() {
        return Ok(HashSet::new());
    }
    let values = last.values().flat_map(|answer| ballot_values(answer, now));
    let sql = format!(
        "INSERT INTO ballot (poll_id, voter_key, choices, tier, source, network, cast_ms, changed_ms) VALUES {} \
         ON CONFLICT (poll_id, voter_key) DO NOTHING RETURNING poll_id, voter_key",
        values_list(last.len(), 8, 0)
    );
    let rows = fetch_all(&**txn, sql, values).await?;
    rows.iter().map(key).collect()
}

/// A ballot that was there before.
pub(super) struct Before {
    pub(super) choice: Choice,
    pub(super) tier: Tier,
    pub(super) place: Place,
}

pub(super) async fn lock(
    db: &Db,
    txn: &WriteTxn,
    keys: &[(PollId, VoterKey)],
) -> Result<HashMap<(PollId, VoterKey), Before>, DbErr> {
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    let lock = if db.backend() == Backend::Postgres {
        " ORDER BY poll_id, voter_key FOR UPDATE"
    } else {
        ""
    };
    let sql = format!(
        "SELECT poll_id, voter_key, choices, tier, source FROM ballot WHERE (poll_id, voter_key) IN (VALUES {}){lock}",
        values_list(keys.len(), 2, 0)
    );
    let values = keys
        .iter()
        .flat_map(|(poll, voter)| [Value::from(*poll), Value::from(voter.to_vec())]);
    let rows = fetch_all(&**txn, sql, values).await?;
    rows.iter()
        .map(|row| {
            let choices: Vec<u8> = row.try_get("", "choices")?;
            let before = Before {
                choice: Choice::from_stored(&choices),
                tier: Tier::from_code(row.try_get("", "tier")?),
                place: Place::from_code(row.try_get("", "source")?),
            };
            Ok((key(row)?, before))
        })
        .collect()
}

pub(super) async fn update(
    txn: &WriteTxn,
    changed: &[&Answer],
    now: UnixMillis,
) -> Result<(), DbErr> {
    if changed.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "INSERT INTO ballot (poll_id, voter_key, choices, tier, source, network, cast_ms, changed_ms) VALUES {} \
         ON CONFLICT (poll_id, voter_key) DO UPDATE SET choices = excluded.choices, network = excluded.network, \
         tier = CASE WHEN excluded.tier > ballot.tier THEN excluded.tier ELSE ballot.tier END, \
         changed_ms = excluded.changed_ms, revision = ballot.revision + 1",
        values_list(changed.len(), 8, 0)
    );
    run(
        &**txn,
        sql,
        changed.iter().flat_map(|answer| ballot_values(answer, now)),
    )
    .await
    .map(drop)
}

fn ballot_values(answer: &Answer, now: UnixMillis) -> [Value; 8] {
    [
        answer.poll.id.into(),
        answer.voter.to_vec().into(),
        answer.choice.to_stored().into(),
        answer.tier.code().into(),
        answer.place.code().into(),
        answer.network.map(|n| n.to_vec()).into(),
        now.into(),
        now.into(),
    ]
}

fn key(row: &QueryResult) -> Result<(PollId, VoterKey), DbErr> {
    let voter: Vec<u8> = row.try_get("", "voter_key")?;
    let voter = voter
        .try_into()
        .map_err(|_| DbErr::Type("a voter key is 16 bytes".into()))?;
    Ok((row.try_get("", "poll_id")?, voter))
}
