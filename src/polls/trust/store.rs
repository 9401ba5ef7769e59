//! Bursts as rows.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{DbErr, QueryResult, Value};

use super::signs::Sign;
use super::watch::Due;
use crate::db::{Backend, Db, WriteTxn, fetch_all, fetch_all_as, fetch_one, in_list, run};
use crate::polls::answer::stored_options;
use crate::polls::ballots::removal::Selection;
use crate::polls::model::Tier;
use crate::types::{BurstId, EditorId, OptionId, PollId, UnixMillis};

/// What is done with a burst's ballots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Reported and counted: there are too few other answers to compare with.
    Noticed,
    /// Not counted; waiting for an editor's decision.
    SetAside,
    /// Counted: an editor decided that it is a crowd.
    Counted,
    /// Not counted: the editor's reason is shown beside the result.
    Removed,
}

impl State {
    fn code(self) -> i16 {
        match self {
            Self::Noticed => 0,
            Self::SetAside => 1,
            Self::Counted => 2,
            Self::Removed => 3,
        }
    }

    fn from_code(code: i16) -> Self {
        match code {
            0 => Self::Noticed,
            2 => Self::Counted,
            3 => Self::Removed,
            _ => Self::SetAside,
        }
    }
}

/// A burst.
#[derive(Debug, Clone)]
pub struct Burst {
    pub id: BurstId,
    pub state: State,
    pub signs: Vec<Sign>,
    /// What most of its ballots said, encoded as a ballot's choices.
    pub choices: Vec<u8>,
    pub ballots: i64,
    /// The number of networks they came from.
    pub networks: i64,
    pub first: UnixMillis,
    pub last: UnixMillis,
    pub found: UnixMillis,
    pub reason: String,
    pub decided: Option<UnixMillis>,
    /// The removals that set its ballots aside.
    pub removals: Vec<i64>,
    /// Those of them that were not undone.
    pub aside: Vec<i64>,
}

/// Records a new burst.
pub async fn open(txn: &WriteTxn, due: &Due, now: UnixMillis) -> Result<BurstId, DbErr> {
    let sql = "INSERT INTO poll_burst (poll_id, state, signs, choices, ballots, networks, first_ms, last_ms, found_ms) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id";
    let state = if due.held > 0 {
        State::Noticed
    } else {
        State::SetAside
    };
    let values: [Value; 9] = [
        due.poll.into(),
        state.code().into(),
        due.signs.iter().map(|sign| sign.bit()).sum::<i64>().into(),
        due.choices.clone().into(),
        (due.held as i64).into(),
        (due.networks as i64).into(),
        due.first.into(),
        due.last.into(),
        now.into(),
    ];
    fetch_one(&**txn, sql, values)
        .await?
        .ok_or_else(|| DbErr::RecordNotInserted)?
        .try_get_by_index(0)
}

/// Whether editors are to be notified by mail now: not if they were notified about this poll since `since`. If so,
/// marks the burst as notified.
pub async fn warn(
    txn: &WriteTxn,
    burst: BurstId,
    poll: PollId,
    since: UnixMillis,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    let sql = "UPDATE poll_burst SET warned_ms = $1 WHERE id = $2 AND NOT EXISTS \
               (SELECT 1 FROM poll_burst other WHERE other.poll_id = $3 AND other.warned_ms > $4)";
    let values: [Value; 4] = [now.into(), burst.into(), poll.into(), since.into()];
    Ok(run(&**txn, sql, values).await?.rows_affected() == 1)
}

/// Reads the decision about a burst and locks it until `txn` ends. `None`: there is no such burst.
pub async fn lock(db: &Db, txn: &WriteTxn, burst: BurstId) -> Result<Option<State>, DbErr> {
    let lock = match db.backend() {
        Backend::Postgres => " FOR UPDATE",
        Backend::Sqlite => "",
    };
    let sql = format!("SELECT state FROM poll_burst WHERE id = $1{lock}");
    let row = fetch_one(&**txn, sql, [burst.into()]).await?;
    row.map(|row| row.try_get("", "state").map(State::from_code))
        .transpose()
}

/// Records that removal `number` sets aside `ballots` more of its ballots, in the same transaction.
pub async fn add(
    txn: &WriteTxn,
    burst: BurstId,
    number: i64,
    ballots: i64,
    due: &Due,
) -> Result<(), DbErr> {
    let link = "INSERT INTO poll_burst_removal (burst_id, number) VALUES ($1, $2)";
    run(&**txn, link, [burst.into(), number.into()]).await?;
    // Ballots that were only reported are now set aside, so the count starts again.
    let sql = "UPDATE poll_burst SET ballots = CASE state WHEN 0 THEN $1 ELSE ballots + $1 END, \
               state = CASE state WHEN 0 THEN 1 ELSE state END, networks = $2, last_ms = $3 WHERE id = $4";
    let values: [Value; 4] = [
        ballots.into(),
        (due.networks as i64).into(),
        due.last.into(),
        burst.into(),
    ];
    run(&**txn, sql, values).await.map(drop)
}

/// The bursts of a poll, newest first.
pub async fn of_poll(db: &Db, poll: PollId) -> Result<Vec<Burst>, DbErr> {
    let sql = "SELECT id, state, signs, choices, ballots, networks, first_ms, last_ms, found_ms, reason, decided_ms \
               FROM poll_burst WHERE poll_id = $1 ORDER BY id DESC";
    let rows = fetch_all(db.read(), sql, [poll.into()]).await?;
    let mut bursts: Vec<Burst> = rows.iter().map(read).collect::<Result<_, _>>()?;
    let sql = "SELECT l.burst_id, l.number, r.undone_ms FROM poll_burst b JOIN poll_burst_removal l ON l.burst_id = b.id \
               JOIN ballot_removal r ON r.poll_id = b.poll_id AND r.number = l.number WHERE b.poll_id = $1 ORDER BY l.number";
    for row in fetch_all(db.read(), sql, [poll.into()]).await? {
        let id: BurstId = row.try_get("", "burst_id")?;
        let number = row.try_get("", "number")?;
        let undone: Option<UnixMillis> = row.try_get("", "undone_ms")?;
        for burst in bursts.iter_mut().filter(|burst| burst.id == id) {
            burst.removals.push(number);
            if undone.is_none() {
                burst.aside.push(number);
            }
        }
    }
    Ok(bursts)
}

fn read(row: &QueryResult) -> Result<Burst, DbErr> {
    Ok(Burst {
        id: row.try_get("", "id")?,
        state: State::from_code(row.try_get("", "state")?),
        signs: Sign::of_bits(row.try_get("", "signs")?),
        choices: row.try_get("", "choices")?,
        ballots: row.try_get("", "ballots")?,
        networks: row.try_get("", "networks")?,
        first: row.try_get("", "first_ms")?,
        last: row.try_get("", "last_ms")?,
        found: row.try_get("", "found_ms")?,
        reason: row.try_get("", "reason")?,
        decided: row.try_get("", "decided_ms")?,
        removals: Vec::new(),
        aside: Vec::new(),
    })
}

/// Records an editor's decision. Returns false if the burst's state does not allow it.
pub async fn decide(
    db: &Db,
    burst: BurstId,
    to: State,
    reason: &str,
    editor: EditorId,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    let txn = db.write_txn("decide-burst").await?;
    // A burst that was counted again stays counted: its ballots were given back and cannot be
    // distinguished from others.
    let sql = "UPDATE poll_burst SET state = $1, reason = $2, decided_ms = $3, editor_id = $4 WHERE id = $5 AND state <> 2 AND (state <> 0 OR $1 = 2)";
    let values: [Value; 5] = [
        to.code().into(),
        reason.into(),
        now.into(),
        editor.into(),
        burst.into(),
    ];
    let done = run(&*txn, sql, values).await?.rows_affected() == 1;
    txn.commit().await?;
    Ok(done)
}

/// A poll with bursts that wait for an editor's decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub slug: String,
    pub title: String,
    pub ballots: i64,
    pub found: UnixMillis,
}

/// Every poll with undecided bursts that can still be decided on, the newest burst first.
pub async fn waiting(db: &Db) -> Result<Vec<Waiting>, DbErr> {
    let sql = "SELECT p.slug, p.title, CAST(SUM(b.ballots) AS BIGINT) AS ballots, MAX(b.found_ms) AS found_ms \
               FROM poll_burst b JOIN poll p ON p.id = b.poll_id WHERE b.state IN (0, 1) AND p.sealed_ms IS NULL \
               GROUP BY p.id, p.slug, p.title ORDER BY found_ms DESC";
    fetch_all_as(db.read(), sql, [], |row| {
        Ok(Waiting {
            slug: row.try_get("", "slug")?,
            title: row.try_get("", "title")?,
            ballots: row.try_get("", "ballots")?,
            found: row.try_get("", "found_ms")?,
        })
    })
    .await
}

/// What ballots that are set aside would add to the result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    voters: BTreeMap<Tier, i64>,
    options: HashMap<OptionId, BTreeMap<Tier, i64>>,
}

impl Counts {
    /// Voters in `tier` and better.
    pub fn voters(&self, tier: Tier) -> i64 {
        self.voters.range(tier..).map(|(_, n)| n).sum()
    }

    /// Answers for `option` in `tier` and better.
    pub fn option(&self, option: OptionId, tier: Tier) -> i64 {
        self.options
            .get(&option)
            .map_or(0, |tiers| tiers.range(tier..).map(|(_, n)| n).sum())
    }
}

/// Counts the ballots of these removals. Reads every ballot of the poll, so it is meant for one call
/// per page view by an editor.
pub async fn counts_of(db: &Db, poll: PollId, removals: &[i64]) -> Result<Counts, DbErr> {
    if removals.is_empty() {
        return Ok(Counts::default());
    }
    let which = format!("removed IN {}", in_list(removals.len(), 1));
    let values = std::iter::once(Value::from(poll)).chain(removals.iter().map(|n| (*n).into()));
    counts_where(db, &which, values.collect()).await
}

/// Counts the counting ballots that match `selection`: what excluding them would take from the result.
pub async fn counts_meeting(db: &Db, poll: PollId, selection: &Selection) -> Result<Counts, DbErr> {
    let (conditions, mut values) = selection.conditions(1);
    values.insert(0, poll.into());
    counts_where(db, &format!("removed IS NULL{conditions}"), values).await
}

async fn counts_where(db: &Db, which: &str, values: Vec<Value>) -> Result<Counts, DbErr> {
    let mut counts = Counts::default();
    let sql = format!(
        "SELECT tier, choices, COUNT(*) AS n FROM ballot WHERE poll_id = $1 AND {which} GROUP BY tier, choices"
    );
    for row in fetch_all(db.read(), sql, values).await? {
        let tier = Tier::from_code(row.try_get("", "tier")?);
        let n: i64 = row.try_get("", "n")?;
        *counts.voters.entry(tier).or_default() += n;
        let choices: Vec<u8> = row.try_get("", "choices")?;
        for option in stored_options(&choices) {
            let tiers = counts.options.entry(option).or_default();
            *tiers.entry(tier).or_default() += n;
        }
    }
    Ok(counts)
}
