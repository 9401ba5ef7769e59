//! The record of a finished count: written at the close, and again when an editor changes what counts afterwards.
//!
//! It can be checked for as long as the poll is kept, even when the log and the voters' keys are destroyed: nothing in
//! it depends on who cast a ballot or when. Its hash covers the ends of the log's chains and the record before it, and
//! is shown to readers: after a ballot or a number has been changed, the same hash cannot be reached.
//!
//! ```text
//! hash     = SHA-256("canvass poll record 1" 00 | poll | number | at_ms | pages | ballots | set aside | root | head | counters | hash before)
//! counters = a SHA-256 for each counting table, then one for what the poll asks
//! ```
//!
//! Numbers are 8 bytes, big-endian; the hash before the first record is 32 zero bytes. What a record
//! vouches for is a [`State`].

mod state;

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};
use sea_orm::{DatabaseTransaction, DbErr, QueryResult, Value};

pub use self::state::State;
pub(super) use self::state::{chains, days};
use super::log::{Hash, Head, finished, head_of_all};
use super::seal;
use crate::db::{Backend, Db, WriteTxn, fetch_all, fetch_all_as, fetch_one, run};
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

    fn read(row: &QueryResult) -> Result<Self, DbErr> {
        let hash = |column: &str| -> Result<Hash, DbErr> {
            let bytes: Vec<u8> = row.try_get("", column)?;
            // A value that is not a hash matches nothing.
            Ok(bytes.try_into().unwrap_or_default())
        };
        Ok(Self {
            number: row.try_get("", "number")?,
            at: row.try_get("", "at_ms")?,
            state: State {
                pages: row.try_get("", "entries")?,
                ballots: row.try_get("", "ballots")?,
                set_aside: row.try_get("", "set_aside")?,
                root: hash("root")?,
                head: hash("head")?,
                counters: row.try_get("", "counters")?,
            },
            hash: hash("hash")?,
        })
    }
}

const COLUMNS: &str = "number, at_ms, entries, ballots, set_aside, root, head, counters, hash";

/// The records of a poll, oldest first.
pub(super) async fn all(db: &DatabaseTransaction, poll: PollId) -> Result<Vec<Record>, DbErr> {
    let sql = format!("SELECT {COLUMNS} FROM poll_record WHERE poll_id = $1 ORDER BY number");
    fetch_all_as(db, sql, [poll.into()], Record::read).await
}

/// The last record of a poll; there is one once it was closed.
pub async fn latest(db: &Db, poll: PollId) -> Result<Option<Record>, DbErr> {
    let sql = format!(
        "SELECT {COLUMNS} FROM poll_record WHERE poll_id = $1 ORDER BY number DESC LIMIT 1"
    );
    let row = fetch_one(db.read(), sql, [poll.into()]).await?;
    row.as_ref().map(Record::read).transpose()
}

/// Records the state of the count of `poll` in this transaction, unless the last record already says the same.
pub(super) async fn renew(
    txn: &WriteTxn,
    backend: Backend,
    poll: &Poll,
    now: UnixMillis,
) -> Result<(), DbErr> {
    let last = all(txn, poll.id).await?.pop();
    let state = State::of(txn, backend, poll).await?;
    if last.as_ref().is_some_and(|last| last.state == state) {
        return Ok(());
    }
    let record = Record::of(poll.id, now, state, last.as_ref());
    let sql = "INSERT INTO poll_record (poll_id, number, at_ms, entries, ballots, set_aside, root, head, counters, hash) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (poll_id, number) DO NOTHING";
    let values: [Value; 10] = [
        poll.id.into(),
        record.number.into(),
        now.into(),
        record.state.pages.into(),
        record.state.ballots.into(),
        record.state.set_aside.into(),
        record.state.root.to_vec().into(),
        record.state.head.to_vec().into(),
        record.state.counters.into(),
        record.hash.to_vec().into(),
    ];
    run(&**txn, sql, values).await.map(drop)
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
/// The last database error; each one is logged.
pub async fn record_closed(db: &Db, now: UnixMillis) -> Result<(), DbErr> {
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
    let mut failed = None;
    for (id, ends) in polls {
        let went_on = || ends.recorded.as_deref() != Some(&head_of_all(id, &ends.chains)[..]);
        let done = match ends.broken {
            Some(error) => Err(error),
            None if went_on() => record(db, id, now).await,
            None => Ok(()),
        };
        if let Err(error) = done {
            tracing::error!(poll = id.0, %error, "the count of a closed poll could not be recorded");
            failed = Some(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

async fn record(db: &Db, id: PollId, now: UnixMillis) -> Result<(), DbErr> {
    let txn = db.write_txn("poll-record").await?;
    seal::lock(db, &txn, id).await?;
    if let Some(poll) = definition::by_id_in(&*txn, id).await?
        && poll.sealed_at.is_none()
        && matches!(poll.phase(now), Phase::Closed { .. })
    {
        renew(&txn, db.backend(), &poll, now).await?;
        txn.commit().await?;
    }
    Ok(())
}
