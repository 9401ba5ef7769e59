//! Ballots as rows: how they are read, and what a commit must read first.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{DbErr, QueryResult, Value};

use super::chain;
use super::hand_over::HANDED_OVER;
use super::log::Head;
use super::repeats;
use super::replay::Held;
use super::slip::{Answer, Slip, VoterKey};
use crate::api::Once;
use crate::api::once_store::{self, Known as Answered};
use crate::db::{AskedTxn, Backend, Db, WriteTxn, fetch_all, in_list, round_up, values_list};
use crate::polls::model::{Place, PollState, Tier};
use crate::types::{IssueId, PollId, UnixMillis};

/// What a commit must know about a poll.
pub(super) struct Now {
    pub(super) state: PollState,
    pub(super) opens_at: Option<UnixMillis>,
    pub(super) closes_at: Option<UnixMillis>,
    pub(super) seen_closed: Option<UnixMillis>,
    pub(super) revision: i64,
    /// The end of this slot's chain.
    pub(super) head: Head,
}

impl Now {
    /// Reads a row of [`NOW`].
    fn of(row: &QueryResult) -> Result<Self, DbErr> {
        let sealed: Option<UnixMillis> = row.try_get("", "sealed_ms")?;
        let state = PollState::from_code(row.try_get("", "state")?);
        Ok(Self {
            // Closed whatever its times say: without the secret, its voters have no keys.
            state: sealed.map_or(state, |_| PollState::Closed),
            opens_at: row.try_get("", "opens_ms")?,
            closes_at: row.try_get("", "closes_ms")?,
            seen_closed: row.try_get("", "closed_ms")?,
            revision: row.try_get("", "revision")?,
            head: chain::head(row)?,
        })
    }
}

/// What is to be written for a voter: the last of their answers in a group, as if they had arrived one by one.
pub(super) struct Waiting<'a> {
    /// The last answer.
    pub(super) answer: &'a Answer,
    /// Its choices, as stored in the row.
    pub(super) choices: Vec<u8>,
    /// The highest tier among the answers.
    pub(super) tier: Tier,
    /// The place of the first answer.
    pub(super) place: Place,
    /// The issue whose mail brought the first answer.
    pub(super) issue: Option<IssueId>,
    /// The index of the first answer in the group.
    pub(super) first: usize,
}

impl<'a> Waiting<'a> {
    /// `n` is its index in the group.
    pub(super) fn of(n: usize, answer: &'a Answer) -> Self {
        Self {
            answer,
            choices: answer.choice.to_stored(),
            tier: answer.tier,
            place: answer.place,
            issue: answer.issue,
            first: n,
        }
    }

    /// Adds another answer of the same voter. Returns whether it changes anything.
    pub(super) fn then(&mut self, answer: &'a Answer) -> bool {
        let choices = answer.choice.to_stored();
        let changes = choices != self.choices || answer.tier > self.tier;
        self.answer = answer;
        self.choices = choices;
        self.tier = self.tier.max(answer.tier);
        changes
    }
}

/// The polls that a group is about, by id.
pub(super) type Polls = HashMap<PollId, Now>;
/// Ballots that already existed.
pub(super) type Known = HashMap<(PollId, VoterKey), Before>;
/// The answers to write, the last of each voter, in key order, so that two nodes cannot deadlock.
pub(super) type Last<'a> = BTreeMap<(PollId, VoterKey), Waiting<'a>>;

/// Begins the transaction and reads the state of the polls and the ends of their chains, with locks. On SQLite, where
/// nobody else writes while the transaction is open, the same round trip reads which voters have a ballot; on
/// PostgreSQL `insert` finds that out. Also looks up scripts' Idempotency-Keys, if there are any.
pub(super) async fn look(
    db: &Db,
    slot: i64,
    group: &[Slip],
) -> Result<(AskedTxn, Polls, Known, Answered), DbErr> {
    let again = repeats::keys(group);
    let (sql, values) = match db.backend() {
        Backend::Postgres => question_with_locks(slot, group),
        Backend::Sqlite => question_with_ballots(slot, group, &again),
    };
    let (mut polls, mut known) = (Polls::new(), Known::new());
    let mut answered = Answered::default();
    let (txn, rows) = db.ask_and_write("ballots", sql, values).await?;
    for row in rows {
        match row.try_get("", "known")? {
            None => answered.add(&row)?,
            Some(true) => {
                known.insert(key(&row)?, Before::of(&row)?);
            }
            Some(false) => {
                polls.insert(row.try_get("", "id")?, Now::of(&row)?);
            }
        }
    }
    if let Some(txn) = txn.postgres().filter(|_| !again.is_empty()) {
        once_store::hold(txn, &again).await?;
        let (sql, keys) = once_store::question(&again, 0);
        for row in fetch_all(&**txn, sql, keys).await? {
            answered.add(&row)?;
        }
    }
    Ok((txn, polls, known, answered))
}

/// The columns of [`Now`].
const NOW: &str = "id, state, opens_ms, closes_ms, closed_ms, sealed_ms, revision, seq, hash";

/// The ids of the polls that a group is about.
fn polls_of(group: &[Slip]) -> Vec<PollId> {
    let mut ids: Vec<PollId> = group.iter().map(Slip::poll).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// What [`look`] asks PostgreSQL: the polls and the ends of their chains. With FOR SHARE, either an editor's close waits
/// for this commit, or this commit sees the close.
fn question_with_locks(slot: i64, group: &[Slip]) -> (String, Vec<Value>) {
    let ids = polls_of(group);
    let among = in_list(ids.len(), 1);
    let sql = format!(
        "WITH chain AS MATERIALIZED (SELECT poll_id, seq, hash FROM ballot_chain WHERE slot = $1 AND poll_id IN {among} \
         ORDER BY poll_id FOR UPDATE) \
         SELECT FALSE AS known, {NOW} FROM poll LEFT JOIN chain ON chain.poll_id = poll.id WHERE id IN {among} \
         ORDER BY id FOR SHARE OF poll"
    );
    let values = std::iter::once(slot.into()).chain(ids.into_iter().map(Value::from));
    (sql, values.collect())
}

/// What [`look`] asks SQLite: the polls and the ends of their chains, the voters' ballots, and the answers that carry
/// these Idempotency-Keys.
fn question_with_ballots(slot: i64, group: &[Slip], again: &[&Once]) -> (String, Vec<Value>) {
    let ids = polls_of(group);
    let mut sql = format!(
        "SELECT FALSE AS known, {NOW} FROM poll LEFT JOIN ballot_chain ON slot = $1 AND poll_id = id WHERE id IN {}",
        in_list(ids.len(), 1)
    );
    let mut values: Vec<Value> = vec![slot.into()];
    values.extend(ids.into_iter().map(Value::from));
    let answers = group.iter().filter_map(|slip| match slip {
        Slip::Answer(answer) => Some((answer.poll.id, answer.voter)),
        Slip::Refused(..) => None,
    });
    let keys: Vec<(PollId, VoterKey)> = answers.collect();
    if !keys.is_empty() {
        let rows = values_list(round_up(keys.len()), 2, values.len());
        values.extend(filled(&keys).flat_map(key_values));
        // A join, so that SQLite looks up each key in the table instead of comparing each row with the keys.
        sql += &format!(
            "; SELECT TRUE AS known, {BEFORE} FROM (VALUES {rows}) AS k \
             CROSS JOIN ballot ON poll_id = k.column1 AND voter_key = k.column2"
        );
    }
    if !again.is_empty() {
        let (asked, keys) = once_store::question(again, values.len());
        values.extend(keys);
        sql += &format!("; {asked}");
    }
    (sql, values)
}

/// All `items`, padded with the last one to the length given by [`round_up`].
pub(super) fn filled<T>(items: &[T]) -> impl Iterator<Item = &T> {
    let more = round_up(items.len()) - items.len();
    items
        .iter()
        .chain(items.last().into_iter().cycle().take(more))
}

pub(super) const BEFORE: &str = "poll_id, voter_key, choices, tier, source, revision, removed";

/// A ballot that already existed.
pub(super) struct Before {
    pub(super) choices: Vec<u8>,
    pub(super) tier: i16,
    pub(super) place: i16,
    pub(super) revision: i64,
    /// It is not set aside and not handed over.
    pub(super) counts: bool,
    /// It is counted under its reader's key.
    pub(super) handed_over: bool,
}

impl Before {
    pub(super) fn of(row: &QueryResult) -> Result<Self, DbErr> {
        let removed: Option<i64> = row.try_get("", "removed")?;
        Ok(Self {
            choices: row.try_get("", "choices")?,
            tier: row.try_get("", "tier")?,
            place: row.try_get("", "source")?,
            revision: row.try_get("", "revision")?,
            counts: removed.is_none(),
            handed_over: removed == Some(HANDED_OVER),
        })
    }
}

pub(super) fn key_values((poll, voter): &(PollId, VoterKey)) -> [Value; 2] {
    [(*poll).into(), voter.to_vec().into()]
}

pub(super) fn key(row: &QueryResult) -> Result<(PollId, VoterKey), DbErr> {
    Ok((row.try_get("", "poll_id")?, voter_key(row)?))
}

/// A ballot as stored in its row.
pub(super) struct Stored {
    pub(super) voter: VoterKey,
    pub(super) held: Held,
}

/// The columns of a ballot that [`held`] reads. Codes are read as wide integers: somebody may
/// have tampered with the file.
pub(super) const HELD: &str = "voter_key, choices, CAST(tier AS BIGINT) AS tier, CAST(source AS BIGINT) AS source, network, \
                               cast_ms, changed_ms, revision, removed";

/// A row of [`HELD`], without its key.
pub(super) fn held(row: &QueryResult) -> Result<Held, DbErr> {
    let code = |column| {
        let code: i64 = row.try_get("", column)?;
        Ok::<_, DbErr>(i16::try_from(code).unwrap_or(NO_CODE))
    };
    Ok(Held {
        choices: row.try_get("", "choices")?,
        tier: code("tier")?,
        place: code("source")?,
        network: row.try_get("", "network")?,
        cast: row.try_get("", "cast_ms")?,
        changed: row.try_get("", "changed_ms")?,
        revision: row.try_get("", "revision")?,
        removed: row.try_get("", "removed")?,
    })
}

/// A code that stands for no tier and no place.
const NO_CODE: i16 = i16::MIN;

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
        "SELECT {HELD} FROM ballot WHERE poll_id = $1 AND {conditions} ORDER BY voter_key{lock}"
    );
    let rows = fetch_all(&**txn, sql, values).await?;
    rows.iter()
        .map(|row| {
            Ok(Stored {
                voter: voter_key(row)?,
                held: held(row)?,
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
