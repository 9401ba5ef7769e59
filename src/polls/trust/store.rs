//! Bursts as rows.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DbErr, EntityTrait as _, FromQueryResult, QueryFilter as _,
    QueryOrder as _, Value,
};

use super::push::{Numbers, Said};
use super::signs::Sign;
use super::watch::Due;
use crate::db::entities::{poll_burst, poll_burst_removal};
use crate::db::{Backend, Db, WriteTxn, find_all, find_value, in_list, run};
use crate::polls::answer::stored_options;
use crate::polls::ballots::removal::Selection;
use crate::polls::definition::by_id;
use crate::polls::model::{Place, Poll, Tier};
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
    /// Counted until the node that knows its ballots sets them aside, as an editor decided.
    Leaving,
}

impl State {
    fn code(self) -> i16 {
        match self {
            Self::Noticed => 0,
            Self::SetAside => 1,
            Self::Counted => 2,
            Self::Removed => 3,
            Self::Leaving => 4,
        }
    }

    fn from_code(code: i16) -> Self {
        match code {
            0 => Self::Noticed,
            2 => Self::Counted,
            3 => Self::Removed,
            4 => Self::Leaving,
            _ => Self::SetAside,
        }
    }

    /// The states in which an editor can decide for this one. A burst that was counted again stays counted: its ballots
    /// were given back and cannot be distinguished from others.
    fn follows(self) -> &'static [Self] {
        match self {
            Self::Counted => &[Self::Noticed, Self::SetAside, Self::Removed, Self::Leaving],
            Self::Leaving => &[Self::Noticed, Self::Leaving],
            Self::Noticed | Self::SetAside | Self::Removed => &[Self::SetAside, Self::Removed],
        }
    }
}

/// A burst.
#[derive(Debug, Clone)]
pub struct Burst {
    pub id: BurstId,
    pub state: State,
    pub signs: Vec<Sign>,
    /// What its ballots push, encoded as a ballot's choices.
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

/// Records a new burst in `poll`.
pub async fn open(
    txn: &WriteTxn,
    poll: &Poll,
    due: &Due,
    now: UnixMillis,
) -> Result<BurstId, DbErr> {
    let (state, ballots) = if due.held {
        (State::Noticed, due.voters.len())
    } else {
        // Each removal adds its own.
        (State::SetAside, 0)
    };
    let row = poll_burst::ActiveModel {
        poll_id: Set(due.poll),
        state: Set(state.code()),
        signs: Set(due.signs.iter().map(|sign| sign.bit()).sum()),
        choices: Set(due.pushed.to_stored(poll)),
        ballots: Set(ballots as i64),
        networks: Set(due.networks as i64),
        first_ms: Set(due.first),
        last_ms: Set(due.last),
        found_ms: Set(now),
        ..Default::default()
    };
    let opened = poll_burst::Entity::insert(row).exec(&**txn).await?;
    Ok(opened.last_insert_id)
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
    let state = find_value(&**txn, sql, [burst.into()]).await?;
    Ok(state.map(State::from_code))
}

/// Records that removal `number` sets aside `ballots` more of its ballots, in the same transaction.
pub async fn add(
    txn: &WriteTxn,
    burst: BurstId,
    number: i64,
    ballots: i64,
    due: &Due,
) -> Result<(), DbErr> {
    let link = poll_burst_removal::ActiveModel {
        burst_id: Set(burst),
        number: Set(number),
    };
    poll_burst_removal::Entity::insert(link)
        .exec_without_returning(&**txn)
        .await?;
    // Ballots that counted so far are now set aside, so the count starts again.
    let sql = "UPDATE poll_burst SET ballots = CASE WHEN state IN ($5, $7) THEN $1 ELSE ballots + $1 END, \
               state = CASE state WHEN $5 THEN $6 WHEN $7 THEN $8 ELSE state END, networks = $2, last_ms = $3 WHERE id = $4";
    let values: [Value; 8] = [
        ballots.into(),
        (due.networks as i64).into(),
        due.last.into(),
        burst.into(),
        State::Noticed.code().into(),
        State::SetAside.code().into(),
        State::Leaving.code().into(),
        State::Removed.code().into(),
    ];
    run(&**txn, sql, values).await.map(drop)
}

/// Records how many ballots a burst has that counts so far. Returns its state; `None`: there is no such burst.
pub async fn grow(db: &Db, burst: BurstId, due: &Due) -> Result<Option<State>, DbErr> {
    let Some(row) = poll_burst::Entity::find_by_id(burst).one(db.read()).await? else {
        return Ok(None);
    };
    let state = State::from_code(row.state);
    let ballots = due.voters.len() as i64;
    if state == State::Noticed && row.ballots != ballots {
        let txn = db.write_txn("grow-burst").await?;
        poll_burst::Entity::update_many()
            .set(poll_burst::ActiveModel {
                ballots: Set(ballots),
                networks: Set(due.networks as i64),
                last_ms: Set(due.last),
                ..Default::default()
            })
            .filter(poll_burst::Column::Id.eq(burst))
            .filter(poll_burst::Column::State.eq(state.code()))
            .exec(&*txn)
            .await?;
        txn.commit().await?;
    }
    Ok(Some(state))
}

/// The counting ballots of a poll that a process which has watched it `since` then did not see: earlier ones that were
/// not changed since, and those of known readers and scripts, as far as they are among the 5,000 most frequent. Those of
/// earlier bursts that count so far are taken off, since they are no others. Reads every ballot of the poll.
pub async fn unseen(db: &Db, poll: PollId, since: UnixMillis) -> Result<Numbers, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        choices: Vec<u8>,
        n: i64,
    }
    let sql = "SELECT choices, COUNT(*) AS n FROM ballot WHERE poll_id = $1 AND removed IS NULL \
               AND (changed_ms < $2 OR tier >= $3 OR source = $4) GROUP BY choices ORDER BY n DESC LIMIT 5000";
    let values: [Value; 4] = [
        poll.into(),
        since.into(),
        Tier::Subscriber.code().into(),
        Place::Api.code().into(),
    ];
    let rows: Vec<Row> = find_all(&*db.scan().await, sql, values).await?;
    let mut unseen = Numbers::default();
    let Some(asked) = by_id(db, poll).await? else {
        return Ok(unseen);
    };
    let said = |row: &Row| Said::of(&asked, &stored_options(&row.choices));
    for row in &rows {
        unseen.add(said(row), row.n.unsigned_abs());
    }
    let sql = "SELECT choices, CAST(SUM(ballots) AS BIGINT) AS n FROM poll_burst \
               WHERE poll_id = $1 AND state IN ($2, $3) AND first_ms < $4 GROUP BY choices";
    let values: [Value; 4] = [
        poll.into(),
        State::Noticed.code().into(),
        State::Leaving.code().into(),
        since.into(),
    ];
    for row in find_all::<Row>(db.read(), sql, values).await? {
        unseen.remove_partly_known(&asked, said(&row), row.n.unsigned_abs());
    }
    Ok(unseen)
}

/// The bursts of a poll, newest first.
pub async fn of_poll(db: &Db, poll: PollId) -> Result<Vec<Burst>, DbErr> {
    let rows = poll_burst::Entity::find()
        .filter(poll_burst::Column::PollId.eq(poll))
        .order_by_desc(poll_burst::Column::Id)
        .all(db.read())
        .await?;
    let mut bursts: Vec<Burst> = rows.into_iter().map(Burst::from).collect();
    let sql = "SELECT l.burst_id, l.number, r.undone_ms FROM poll_burst b JOIN poll_burst_removal l ON l.burst_id = b.id \
               JOIN ballot_removal r ON r.poll_id = b.poll_id AND r.number = l.number WHERE b.poll_id = $1 ORDER BY l.number";
    #[derive(FromQueryResult)]
    struct Removal {
        burst_id: BurstId,
        number: i64,
        undone_ms: Option<UnixMillis>,
    }
    for removal in find_all::<Removal>(db.read(), sql, [poll.into()]).await? {
        let of_it = bursts.iter_mut().filter(|b| b.id == removal.burst_id);
        for burst in of_it {
            burst.removals.push(removal.number);
            if removal.undone_ms.is_none() {
                burst.aside.push(removal.number);
            }
        }
    }
    Ok(bursts)
}

impl From<poll_burst::Model> for Burst {
    /// Without its removals.
    fn from(row: poll_burst::Model) -> Self {
        Self {
            id: row.id,
            state: State::from_code(row.state),
            signs: Sign::of_bits(row.signs),
            choices: row.choices,
            ballots: row.ballots,
            networks: row.networks,
            first: row.first_ms,
            last: row.last_ms,
            found: row.found_ms,
            reason: row.reason,
            decided: row.decided_ms,
            removals: Vec::new(),
            aside: Vec::new(),
        }
    }
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
    let decided = poll_burst::Entity::update_many()
        .set(poll_burst::ActiveModel {
            state: Set(to.code()),
            reason: Set(reason.to_owned()),
            decided_ms: Set(Some(now)),
            editor_id: Set(Some(editor)),
            ..Default::default()
        })
        .filter(poll_burst::Column::Id.eq(burst))
        .filter(poll_burst::Column::State.is_in(to.follows().iter().map(|state| state.code())))
        .exec(&*txn)
        .await?;
    txn.commit().await?;
    Ok(decided.rows_affected == 1)
}

/// A poll with bursts that wait for an editor's decision.
#[derive(Debug, Clone, PartialEq, Eq, FromQueryResult)]
pub struct Waiting {
    pub slug: String,
    pub title: String,
    pub ballots: i64,
    #[sea_orm(from_alias = "found_ms")]
    pub found: UnixMillis,
}

/// Every poll with undecided bursts that can still be decided on, the newest burst first.
pub async fn waiting(db: &Db) -> Result<Vec<Waiting>, DbErr> {
    let sql = "SELECT p.slug, p.title, CAST(SUM(b.ballots) AS BIGINT) AS ballots, MAX(b.found_ms) AS found_ms \
               FROM poll_burst b JOIN poll p ON p.id = b.poll_id WHERE b.state IN ($1, $2, $3) AND p.sealed_ms IS NULL \
               GROUP BY p.id, p.slug, p.title ORDER BY found_ms DESC";
    let undecided = [State::Noticed, State::SetAside, State::Leaving];
    find_all(db.read(), sql, undecided.map(|state| state.code().into())).await
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
    #[derive(FromQueryResult)]
    struct Row {
        tier: i16,
        choices: Vec<u8>,
        n: i64,
    }
    let rows = db.scanning(move |scan| async move { find_all::<Row>(&*scan, sql, values).await });
    for row in rows.await? {
        let tier = Tier::from_code(row.tier);
        *counts.voters.entry(tier).or_default() += row.n;
        for option in stored_options(&row.choices) {
            let tiers = counts.options.entry(option).or_default();
            *tiers.entry(tier).or_default() += row.n;
        }
    }
    Ok(counts)
}
