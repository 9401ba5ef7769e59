//! The record of a finished count: written at the close, and again when an editor changes what counts afterwards.
//!
//! It can be checked for as long as the poll is kept, even when the log and the voters' keys are destroyed: nothing in
//! it depends on who cast a ballot or when. Its hash covers the ends of the log's chains and the record before it, and
//! is shown to readers: after a ballot or a number has been changed, the same hash cannot be reached.
//!
//! ```text
//! hash     = SHA-256("canvass poll record 1" 00 | poll | number | at_ms | pages | ballots | set aside | root | head | counters | hash before)
//! counters = a SHA-256 for each counting table, then one for what the poll asks, and one for its terms
//! ```
//!
//! Numbers are 8 bytes, big-endian; the hash before the first record is 32 zero bytes. What a record
//! vouches for is a [`State`].

mod state;

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, DbErr, EntityTrait as _,
    QueryFilter as _, QueryOrder as _,
};

pub use self::state::State;
pub(super) use self::state::{chains, days};
use super::log::{Hash, Head, finished, head_of_all};
use super::seal;
use crate::db::entities::poll_record;
use crate::db::{Backend, Db, Unfinished, WriteTxn, fetch_all};
use crate::polls::definition;
use crate::polls::model::{Phase, Poll};
use crate::types::{PollId, UnixMillis};

/// The record of a count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// From 1, in each poll.
    pub number: i64,
    pub at: UnixMillis,
    pub state: State,
    pub hash: Hash,
}

impl Record {
    /// The record that follows `before`.
    fn of(poll: PollId, at: UnixMillis, state: State, before: Option<&Self>) -> Self {
        let number = before.map_or(0, |record| record.number) + 1;
        let hash = Self::hash(poll, number, at, &state, before.map_or([0; 32], |r| r.hash));
        Self {
            number,
            at,
            state,
            hash,
        }
    }

    fn hash(poll: PollId, number: i64, at: UnixMillis, state: &State, before: Hash) -> Hash {
        let mut context = Context::new(&SHA256);
        context.update(b"canvass poll record 1\0");
        for number in [
            poll.0,
            number,
            at.0,
            state.pages,
            state.ballots,
            state.set_aside,
        ] {
            context.update(&number.to_be_bytes());
        }
        context.update(&state.root);
        context.update(&state.head);
        context.update(&state.counters);
        context.update(&before);
        finished(context)
    }

    /// Whether its hash is correct for its content and for `before`, the record before it.
    pub(super) fn fits(&self, poll: PollId, before: Option<&Self>) -> bool {
        let last = before.map_or([0; 32], |record| record.hash);
        self.number == before.map_or(0, |record| record.number) + 1
            && self.hash == Self::hash(poll, self.number, self.at, &self.state, last)
    }
}

impl From<poll_record::Model> for Record {
    fn from(row: poll_record::Model) -> Self {
        // A value that is not a hash matches nothing.
        let hash = |bytes: Vec<u8>| -> Hash { bytes.try_into().unwrap_or_default() };
        Self {
            number: row.number,
            at: row.at_ms,
            state: State {
                pages: row.entries,
                ballots: row.ballots,
                set_aside: row.set_aside,
                root: hash(row.root),
                head: hash(row.head),
                counters: row.counters,
            },
            hash: hash(row.hash),
        }
    }
}

/// The records of a poll, oldest first.
pub(super) async fn all(db: &DatabaseTransaction, poll: PollId) -> Result<Vec<Record>, DbErr> {
    let rows = poll_record::Entity::find()
        .filter(poll_record::Column::PollId.eq(poll))
        .order_by_asc(poll_record::Column::Number)
        .all(db)
        .await?;
    Ok(rows.into_iter().map(Record::from).collect())
}

/// The last record of a poll; there is one once it was closed.
pub async fn latest(db: &Db, poll: PollId) -> Result<Option<Record>, DbErr> {
    let row = poll_record::Entity::find()
        .filter(poll_record::Column::PollId.eq(poll))
        .order_by_desc(poll_record::Column::Number)
        .one(db.read())
        .await?;
    Ok(row.map(Record::from))
}

/// Records the state of the count of `poll` in this transaction, unless the last record already says the same.
pub(super) async fn renew(
    txn: &WriteTxn,
    backend: Backend,
    poll: &Poll,
    now: UnixMillis,
) -> Result<(), DbErr> {
    let state = State::of(txn, backend, poll).await?;
    keep(txn, poll, state, now).await
}

/// Records this state of the count.
async fn keep(txn: &WriteTxn, poll: &Poll, state: State, now: UnixMillis) -> Result<(), DbErr> {
    let last = all(txn, poll.id).await?.pop();
    if last.as_ref().is_some_and(|last| last.state == state) {
        return Ok(());
    }
    let record = Record::of(poll.id, now, state, last.as_ref());
    let row = poll_record::ActiveModel {
        poll_id: Set(poll.id),
        number: Set(record.number),
        at_ms: Set(now),
        entries: Set(record.state.pages),
        ballots: Set(record.state.ballots),
        set_aside: Set(record.state.set_aside),
        root: Set(record.state.root.to_vec()),
        head: Set(record.state.head.to_vec()),
        counters: Set(record.state.counters),
        hash: Set(record.hash.to_vec()),
    };
    poll_record::Entity::insert(row)
        .on_conflict_do_nothing()
        .exec_without_returning(&**txn)
        .await
        .map(drop)
}

/// Like [`renew`], but only if the log has grown since the last record. A change that bypassed the log must not be
/// recorded as if it were a decision.
pub(super) async fn renew_after_log(
    txn: &WriteTxn,
    backend: Backend,
    poll: &Poll,
    now: UnixMillis,
) -> Result<(), DbErr> {
    let head = head_of_all(poll.id, &chains(txn, poll.id).await?);
    match all(txn, poll.id).await?.pop() {
        Some(last) if last.state.head == head => Ok(()),
        _ => renew(txn, backend, poll, now).await,
    }
}

/// The ends of a poll's chains, and the head its last record names.
#[derive(Default)]
struct Ends {
    recorded: Option<Vec<u8>>,
    chains: Vec<(i64, Head)>,
    /// Why an end cannot be read.
    broken: Option<DbErr>,
}

/// Writes a record for every closed poll whose log has grown since its last record. A poll that cannot be recorded
/// does not hold up the others.
///
/// # Errors
/// The database failed to list the polls, or some of them could not be recorded; each of those is logged.
pub async fn record_closed(db: &Db, now: UnixMillis) -> Result<(), Unfinished> {
    let sql = "SELECT p.id AS id, c.slot AS slot, c.seq AS seq, c.hash AS hash, (SELECT r.head FROM poll_record r \
               WHERE r.poll_id = p.id ORDER BY r.number DESC LIMIT 1) AS head FROM poll p LEFT JOIN ballot_chain c ON c.poll_id = p.id \
               WHERE p.closed_ms IS NOT NULL AND p.sealed_ms IS NULL AND p.unchained = 0 ORDER BY p.id, c.slot";
    let mut polls: BTreeMap<PollId, Ends> = BTreeMap::new();
    for row in fetch_all(db.read(), sql, []).await? {
        let known = polls.entry(row.try_get("", "id")?).or_default();
        known.recorded = row.try_get("", "head")?;
        if let Some(slot) = row.try_get::<Option<i64>>("", "slot")? {
            match super::chain::head(&row) {
                Ok(head) => known.chains.push((slot, head)),
                Err(error) => known.broken = Some(error),
            }
        }
    }
    let mut recorded = Ok(());
    for (id, ends) in polls {
        let went_on = || ends.recorded.as_deref() != Some(&head_of_all(id, &ends.chains)[..]);
        let done = match ends.broken {
            Some(error) => Err(error),
            None if went_on() => record(db, id, now).await,
            None => Ok(()),
        };
        if let Err(error) = done {
            tracing::error!(poll = id.0, %error, "the count of a closed poll could not be recorded");
            recorded = Err(Unfinished::Logged);
        }
    }
    recorded
}

/// Counts a poll from a snapshot, because all ballots are grouped, and records the count if nothing has changed
/// meanwhile. Otherwise the next call tries again.
async fn record(db: &Db, id: PollId, now: UnixMillis) -> Result<(), DbErr> {
    let Some((poll, state)) = counted(db, id, now).await? else {
        return Ok(());
    };
    let txn = db.write_txn("poll-record").await?;
    seal::lock(db, &txn, id).await?;
    let head = head_of_all(id, &chains(&txn, id).await?);
    let still = definition::by_id_in(&*txn, id).await?;
    // Every change of a ballot or a number extends a chain.
    if state.head == head && still.is_some_and(|still| still.revision == poll.revision) {
        keep(&txn, &poll, state, now).await?;
        txn.commit().await?;
    }
    Ok(())
}

/// The state of the count of a poll that is closed and not sealed, and the poll.
async fn counted(db: &Db, id: PollId, now: UnixMillis) -> Result<Option<(Poll, State)>, DbErr> {
    let _turn = db.scan().await;
    let moment = db.snapshot().await?;
    let poll = definition::by_id_in(&moment, id).await?;
    let closed =
        |poll: &Poll| poll.sealed_at.is_none() && matches!(poll.phase(now), Phase::Closed { .. });
    let Some(poll) = poll.filter(closed) else {
        return Ok(None);
    };
    let state = State::of(&moment, db.backend(), &poll).await?;
    moment.rollback().await?;
    Ok(Some((poll, state)))
}
