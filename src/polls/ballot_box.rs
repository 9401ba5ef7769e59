//! The ballot box: many answers in one durable commit.
//!
//! A group of answers that waited together is written with a handful of set-based statements, whatever its
//! size: the polls' state (the close is decided here, by the clock at the commit), the new ballots, the
//! ballots that changed, the tally, the places, the refusals. The primary key of `ballot` decides
//! whether a voter is new; nothing is checked first and inserted later.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use sea_orm::{DbErr, QueryResult, Value};

use super::choice::{Choice, stored_options};
use super::model::{Phase, Place, Poll, PollState, Tier, phase};
use super::refusals::{self, Reason};
use crate::db::{Backend, Db, WriteTxn, fetch_all, in_list, run, values_list};
use crate::types::{Clock, OptionId, PollId, UnixMillis};

/// A voter in one poll: a keyed hash, see [`super::voter`].
pub type VoterKey = [u8; 16];

/// One answer on its way into the box.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The poll as it was when the choice was read.
    pub poll: Arc<Poll>,
    pub voter: VoterKey,
    pub choice: Choice,
    pub tier: Tier,
    pub place: Place,
    /// The client's network under today's secret: a signal of haste, not an identity.
    pub network: Option<[u8; 8]>,
}

/// What goes into the box.
#[derive(Debug, Clone)]
pub enum Slip {
    Answer(Answer),
    /// An answer that could not be read as one: noted, so that nothing is blocked in silence.
    Refused(PollId, Reason),
}

impl Slip {
    /// The poll it is for.
    #[must_use]
    pub fn poll(&self) -> PollId {
        match self {
            Self::Answer(answer) => answer.poll.id,
            Self::Refused(poll, _) => *poll,
        }
    }
}

/// What became of an answer. The first three are durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A first ballot.
    Counted,
    /// The voter's ballot now says this.
    Changed,
    /// The voter's ballot said so already.
    Same,
    /// The poll was not open at the commit.
    NotOpen(Phase),
    /// The poll was edited since the choice was read: read it again.
    Edited,
    /// A refusal was written down.
    Noted,
}

/// The largest group: 512 ballots are 4,096 parameters, far below what either database takes.
pub const LARGEST_GROUP: usize = 512;

/// Commits a group. `slot` is this node's stripe of the counting tables.
///
/// # Errors
/// What the database said; then nothing was written.
pub async fn commit(
    db: &Db,
    clock: &Clock,
    slot: i64,
    group: &[Slip],
) -> Result<Vec<Outcome>, DbErr> {
    let txn = db.write_txn("ballots").await?;
    // The clock is read when the writer is ours: nothing that closed before can slip in behind.
    let now = clock.now();
    let current = polls_now(db, &txn, group).await?;

    // None: in the box; what it did there is known once the ballots are written.
    let mut outcomes: Vec<Option<Outcome>> = vec![Some(Outcome::Edited); group.len()];
    let mut last: BTreeMap<(PollId, VoterKey), &Answer> = BTreeMap::new();
    let mut refused: Vec<(PollId, Reason)> = Vec::new();
    for (i, slip) in group.iter().enumerate() {
        let answer = match slip {
            Slip::Answer(answer) => answer,
            Slip::Refused(poll, reason) => {
                outcomes[i] = Some(Outcome::Noted);
                refused.push((*poll, *reason));
                continue;
            }
        };
        let Some(state) = current.get(&answer.poll.id) else {
            continue;
        };
        match phase(state.state, state.opens_at, state.closes_at, now) {
            Phase::Open { .. } if state.revision != answer.poll.revision => {}
            Phase::Open { .. } => {
                // Of several answers of one voter in a group the last counts, as if they had come one by one.
                last.insert((answer.poll.id, answer.voter), answer);
                outcomes[i] = None;
            }
            closed => {
                outcomes[i] = Some(Outcome::NotOpen(closed));
                let reason = if matches!(closed, Phase::Closed { .. }) {
                    Reason::Closed
                } else {
                    Reason::NotOpen
                };
                refused.push((answer.poll.id, reason));
            }
        }
    }

    let mut counts = Counts::default();
    let news = insert(&txn, &last, now).await?;
    let existing: Vec<(PollId, VoterKey)> = last
        .keys()
        .filter(|key| !news.contains(*key))
        .copied()
        .collect();
    let before = lock(db, &txn, &existing).await?;
    let mut changed: Vec<&Answer> = Vec::new();
    let mut said: HashMap<(PollId, VoterKey), Outcome> = HashMap::with_capacity(last.len());
    for (key, &answer) in &last {
        let outcome = match before.get(key) {
            None => {
                counts.voter(answer, now);
                counts.options(answer.poll.id, answer.tier, answer.choice.options(), 1);
                Outcome::Counted
            }
            Some(old) if old.choices == answer.choice.options() => Outcome::Same,
            Some(old) => {
                counts.options(answer.poll.id, old.tier, &old.choices, -1);
                counts.options(answer.poll.id, old.tier, answer.choice.options(), 1);
                counts.touch(answer.poll.id, old.place, now);
                changed.push(answer);
                Outcome::Changed
            }
        };
        said.insert(*key, outcome);
    }
    update(&txn, &changed, now).await?;
    counts.write(&txn, slot).await?;
    refusals::add(&txn, slot, now, &refused).await?;
    txn.commit().await?;

    Ok(group
        .iter()
        .zip(outcomes)
        .map(|(slip, outcome)| match (outcome, slip) {
            (None, Slip::Answer(answer)) => said
                .get(&(answer.poll.id, answer.voter))
                .copied()
                .unwrap_or(Outcome::Edited),
            (outcome, _) => outcome.unwrap_or(Outcome::Noted),
        })
        .collect())
}

/// What the commit must know of a poll.
struct Now {
    state: PollState,
    opens_at: Option<UnixMillis>,
    closes_at: Option<UnixMillis>,
    revision: i64,
}

async fn polls_now(db: &Db, txn: &WriteTxn, group: &[Slip]) -> Result<HashMap<PollId, Now>, DbErr> {
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
async fn insert(
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
struct Before {
    choices: Vec<OptionId>,
    tier: Tier,
    place: Place,
}

async fn lock(
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
                choices: stored_options(&choices),
                tier: Tier::from_code(row.try_get("", "tier")?),
                place: Place::from_code(row.try_get("", "source")?),
            };
            Ok((key(row)?, before))
        })
        .collect()
}

async fn update(txn: &WriteTxn, changed: &[&Answer], now: UnixMillis) -> Result<(), DbErr> {
    if changed.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "INSERT INTO ballot (poll_id, voter_key, choices, tier, source, network, cast_ms, changed_ms) VALUES {} \
         ON CONFLICT (poll_id, voter_key) DO UPDATE SET choices = excluded.choices, network = excluded.network, \
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

/// What a group adds to the counting tables. Sorted, so that two nodes touch rows in the same order.
#[derive(Default)]
struct Counts {
    tally: BTreeMap<(PollId, OptionId, i16), i64>,
    places: BTreeMap<(PollId, i16), (i64, UnixMillis)>,
}

impl Counts {
    fn voter(&mut self, answer: &Answer, now: UnixMillis) {
        *self
            .tally
            .entry((answer.poll.id, super::results::VOTERS, answer.tier.code()))
            .or_default() += 1;
        self.touch(answer.poll.id, answer.place, now);
        self.places
            .entry((answer.poll.id, answer.place.code()))
            .and_modify(|place| place.0 += 1);
    }

    fn touch(&mut self, poll: PollId, place: Place, now: UnixMillis) {
        self.places.entry((poll, place.code())).or_insert((0, now));
    }

    fn options(&mut self, poll: PollId, tier: Tier, options: &[OptionId], by: i64) {
        for &option in options {
            *self.tally.entry((poll, option, tier.code())).or_default() += by;
        }
    }

    async fn write(&self, txn: &WriteTxn, slot: i64) -> Result<(), DbErr> {
        let tally: Vec<_> = self.tally.iter().filter(|(_, n)| **n != 0).collect();
        if !tally.is_empty() {
            let sql = format!(
                "INSERT INTO tally (poll_id, option_id, tier, slot, n) VALUES {} \
                 ON CONFLICT (poll_id, option_id, tier, slot) DO UPDATE SET n = tally.n + excluded.n",
                values_list(tally.len(), 5, 0)
            );
            let values = tally
                .iter()
                .flat_map(|((poll, option, tier), n)| -> [Value; 5] {
                    [
                        (*poll).into(),
                        (*option).into(),
                        (*tier).into(),
                        slot.into(),
                        (**n).into(),
                    ]
                });
            run(&**txn, sql, values).await?;
        }
        if !self.places.is_empty() {
            let sql = format!(
                "INSERT INTO poll_source (poll_id, source, slot, n, first_ms, last_ms) VALUES {} \
                 ON CONFLICT (poll_id, source, slot) DO UPDATE SET n = poll_source.n + excluded.n, \
                 last_ms = CASE WHEN excluded.last_ms > poll_source.last_ms THEN excluded.last_ms ELSE poll_source.last_ms END",
                values_list(self.places.len(), 6, 0)
            );
            let values = self
                .places
                .iter()
                .flat_map(|((poll, place), (n, at))| -> [Value; 6] {
                    [
                        (*poll).into(),
                        (*place).into(),
                        slot.into(),
                        (*n).into(),
                        (*at).into(),
                        (*at).into(),
                    ]
                });
            run(&**txn, sql, values).await?;
        }
        Ok(())
    }
}
