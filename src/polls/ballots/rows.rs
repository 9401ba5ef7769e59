//! Ballots as rows, many in a statement.

use std::collections::{BTreeMap, HashMap, HashSet};

use sea_orm::{DbErr, QueryResult, Value};

use super::chain;
use super::hand_over::HANDED_OVER;
use super::log::Head;
use super::slip::{Answer, Slip, VoterKey};
use crate::db::{Backend, Db, WriteTxn, fetch_all, in_list, run, values_list};
use crate::polls::model::PollState;
use crate::types::{PollId, UnixMillis};

/// What the commit must know of a poll.
pub(super) struct Now {
    pub(super) state: PollState,
    pub(super) opens_at: Option<UnixMillis>,
    pub(super) closes_at: Option<UnixMillis>,
    pub(super) seen_closed: Option<UnixMillis>,
    pub(super) revision: i64,
    /// The end of this slot's chain.
    pub(super) head: Head,
}

/// An answer that is written now, and its choices as the row keeps them.
pub(super) struct Waiting<'a> {
    pub(super) answer: &'a Answer,
    pub(super) choices: Vec<u8>,
}

impl<'a> Waiting<'a> {
    pub(super) fn of(answer: &'a Answer) -> Self {
        Self {
            answer,
            choices: answer.choice.to_stored(),
        }
    }
}

/// The state of the polls, and the end of their chains, locked.
pub(super) async fn polls_now(
    db: &Db,
    txn: &WriteTxn,
    slot: i64,
    group: &[Slip],
) -> Result<HashMap<PollId, Now>, DbErr> {
    let mut ids: Vec<PollId> = group.iter().map(Slip::poll).collect();
    ids.sort_unstable();
    ids.dedup();
    let columns = "id, state, opens_ms, closes_ms, closed_ms, sealed_ms, revision, seq, hash";
    let among = in_list(ids.len(), 1);
    let sql = match db.backend() {
        // FOR SHARE: an editor's close waits for this commit or this commit sees it; never both half.
        Backend::Postgres => format!(
            "WITH chain AS MATERIALIZED (SELECT poll_id, seq, hash FROM ballot_chain WHERE slot = $1 AND poll_id IN {among} \
             ORDER BY poll_id FOR UPDATE) \
             SELECT {columns} FROM poll LEFT JOIN chain ON chain.poll_id = poll.id WHERE id IN {among} \
             ORDER BY id FOR SHARE OF poll"
        ),
        Backend::Sqlite => format!(
            "SELECT {columns} FROM poll LEFT JOIN ballot_chain ON slot = $1 AND poll_id = id WHERE id IN {among}"
        ),
    };
    let values = std::iter::once(slot.into()).chain(ids.into_iter().map(Value::from));
    let rows = fetch_all(&**txn, sql, values).await?;
    rows.iter()
        .map(|row| {
            let sealed: Option<UnixMillis> = row.try_get("", "sealed_ms")?;
            let state = PollState::from_code(row.try_get("", "state")?);
            let now = Now {
                // Whatever its times say: there is no key to know its voters by.
                state: sealed.map_or(state, |_| PollState::Closed),
                opens_at: row.try_get("", "opens_ms")?,
                closes_at: row.try_get("", "closes_ms")?,
                seen_closed: row.try_get("", "closed_ms")?,
                revision: row.try_get("", "revision")?,
                head: chain::head(row)?,
            };
            Ok((row.try_get("", "id")?, now))
        })
        .collect()
}

/// Inserts every ballot that has none yet, in key order (two nodes cannot lock each other out); says which were new.
pub(super) async fn insert(
    txn: &WriteTxn,
    last: &BTreeMap<(PollId, VoterKey), Waiting<'_>>,
    now: UnixMillis,
) -> Result<HashSet<(PollId, VoterKey)>, DbErr> {
    if last.is_empty() {
        return Ok(HashSet::new());
    }
    let values = last.values().flat_map(|waiting| values(waiting, now));
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
    pub(super) choices: Vec<u8>,
    pub(super) tier: i16,
    pub(super) place: i16,
    pub(super) revision: i64,
    /// No editor set it aside.
    pub(super) counts: bool,
    /// It is counted as its reader's.
    pub(super) handed_over: bool,
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
        "SELECT poll_id, voter_key, choices, tier, source, revision, removed FROM ballot \
         WHERE (poll_id, voter_key) IN (VALUES {}){lock}",
        values_list(keys.len(), 2, 0)
    );
    let values = keys
        .iter()
        .flat_map(|(poll, voter)| [Value::from(*poll), Value::from(voter.to_vec())]);
    let rows = fetch_all(&**txn, sql, values).await?;
    rows.iter()
        .map(|row| {
            let removed: Option<i64> = row.try_get("", "removed")?;
            let before = Before {
                choices: row.try_get("", "choices")?,
                tier: row.try_get("", "tier")?,
                place: row.try_get("", "source")?,
                revision: row.try_get("", "revision")?,
                counts: removed.is_none(),
                handed_over: removed == Some(HANDED_OVER),
            };
            Ok((key(row)?, before))
        })
        .collect()
}

pub(super) async fn update(
    txn: &WriteTxn,
    changed: &[&Waiting<'_>],
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
        changed.iter().flat_map(|waiting| values(waiting, now)),
    )
    .await
    .map(drop)
}

fn values(waiting: &Waiting<'_>, now: UnixMillis) -> [Value; 8] {
    let answer = waiting.answer;
    [
        answer.poll.id.into(),
        answer.voter.to_vec().into(),
        waiting.choices.clone().into(),
        answer.tier.code().into(),
        answer.place.code().into(),
        answer.network.map(|n| n.to_vec()).into(),
        now.into(),
        now.into(),
    ]
}

fn key(row: &QueryResult) -> Result<(PollId, VoterKey), DbErr> {
    Ok((row.try_get("", "poll_id")?, voter_key(row)?))
}

/// A ballot as its row is.
pub(super) struct Stored {
    pub(super) voter: VoterKey,
    pub(super) choices: Vec<u8>,
    pub(super) tier: i16,
    pub(super) place: i16,
    pub(super) network: Option<Vec<u8>>,
    pub(super) cast: UnixMillis,
    pub(super) changed: UnixMillis,
    pub(super) revision: i64,
    pub(super) removed: Option<i64>,
}

/// The ballots of poll `$1` that meet `conditions`, locked in the order of their keys.
pub(super) async fn select(
    db: &Db,
    txn: &WriteTxn,
    conditions: &str,
    values: Vec<Value>,
) -> Result<Vec<Stored>, DbErr> {
    let lock = match db.backend() {
        Backend::Postgres => " FOR UPDATE",
        Backend::Sqlite => "",
    };
    let sql = format!(
        "SELECT voter_key, choices, tier, source, network, cast_ms, changed_ms, revision, removed FROM ballot \
         WHERE poll_id = $1 AND {conditions} ORDER BY voter_key{lock}"
    );
    let rows = fetch_all(&**txn, sql, values).await?;
    rows.iter()
        .map(|row| {
            Ok(Stored {
                voter: voter_key(row)?,
                choices: row.try_get("", "choices")?,
                tier: row.try_get("", "tier")?,
                place: row.try_get("", "source")?,
                network: row.try_get("", "network")?,
                cast: row.try_get("", "cast_ms")?,
                changed: row.try_get("", "changed_ms")?,
                revision: row.try_get("", "revision")?,
                removed: row.try_get("", "removed")?,
            })
        })
        .collect()
}

/// The key in a row of `ballot`.
pub(super) fn voter_key(row: &QueryResult) -> Result<VoterKey, DbErr> {
    let voter: Vec<u8> = row.try_get("", "voter_key")?;
    voter
        .try_into()
        .map_err(|_| DbErr::Type("a voter key is 16 bytes".into()))
}
