//! The ledger's writers: intents and outcomes of many lanes in one durable commit.
//!
//! A lane's entry holds the outcomes it has not written yet, and the intent for its next mail. The holders of the
//! batches are checked in the same transaction (with row locks on PostgreSQL): an entry under an old fence writes
//! nothing. On PostgreSQL an ordinary group is one statement ([`at_once`]), on SQLite a few ([`apart`]).
//!
//! `taken_back`: intents that are withdrawn. `tally`: the counters, which change in the same commit.

mod apart;
mod at_once;
mod taken_back;
mod tally;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

pub(super) use self::apart::write_off;
pub(super) use self::taken_back::{Deferred, TakenBack};
pub(super) use self::tally::Tally;
use super::rest::{self, Rest};
use super::states::{BatchState, DeliveryState, Reason};
use super::{bounces, control};
use crate::{
    app::App,
    config::crash_point,
    db::{
        self, Backend, DbErr, Turns, WriteTxn,
        group_commit::{GroupCommit, Lines, Queue, Refused, Spill},
    },
    mailer::fate::Words,
    types::{BatchId, IssueId, ReaderId, UnixMillis},
};

/// The changes that one lane wants written.
#[derive(Clone, Debug)]
pub(in crate::mailer) struct Entry {
    pub(super) batch: BatchId,
    pub(super) issue: IssueId,
    pub(super) fence: i64,
    /// Attempt number of the batch, from 1.
    pub(super) attempt: i64,
    pub(super) rows: Arc<Vec<Row>>,
    /// The intent of the last mail, if it is to be taken back.
    pub(super) back: Option<TakenBack>,
    pub(super) intent: Option<Intent>,
    pub(super) ending: Option<Ending>,
}

/// The mail whose final dot is about to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Intent {
    pub(super) reader: ReaderId,
    /// How often a crash has interrupted this mail.
    pub(super) crashes: i16,
}

/// The outcome of one recipient.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) reader: ReaderId,
    /// The tally counted the recipient as deferred before.
    pub(super) was_deferred: bool,
    pub(super) state: DeliveryState,
    pub(super) reason: Reason,
    pub(super) words: Option<Words>,
    /// The address as its keyed hash, if the outcome counts against it: it is suppressed at once where it does not
    /// exist, otherwise when it has bounced enough ([`bounces`]).
    pub(super) suppress: Option<Vec<u8>>,
}

/// How a lane leaves a batch.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// Every recipient was dealt with; those that wait or are retried go into other batches.
    Done(Vec<Rest>),
    /// The remaining recipients are for another lane: not before this time, or at once. Without one, the batch keeps the
    /// time from which it was due, so that a clock that was ahead for a moment delays nobody.
    Released(Option<UnixMillis>),
}

/// The answer to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mailer) enum Answer {
    /// All of it is on disk.
    Written,
    /// Outcomes and ending are on disk; the intent is not, since the mailing is not being sent.
    Halted,
    /// Another lane holds the batch: nothing was written.
    Stale,
}

/// The queues to the writers.
#[derive(Clone, Debug)]
pub(in crate::mailer) struct Ledger(Lines<Entry, Answer>);

impl Ledger {
    /// Writes an entry, however long the database takes. A lane that gave up while the commit goes on would write the
    /// same outcomes again, and they would be counted twice.
    ///
    /// # Errors
    /// The entry was not written.
    pub(super) async fn write(&self, entry: Entry) -> Result<Answer, Refused> {
        self.0.submit_waiting(entry).await
    }
}

/// The number of writers on PostgreSQL: while the commit of one waits for a slow disk, the other goes on.
const WRITERS: usize = 2;
/// Only if the first writer's commits take this long do waiting entries go to the second: a group of its own costs
/// PostgreSQL about half a millisecond of CPU time, far more than one more entry in a group.
const SLOW_COMMIT: Duration = Duration::from_millis(3);

/// Starts the writers.
pub(in crate::mailer) fn start(app: &App) -> Ledger {
    let writers = match app.db.backend() {
        Backend::Sqlite => 1,
        Backend::Postgres => WRITERS,
    };
    let lanes = app.config.mail.connections as usize;
    // Half of the lanes at a time: while one half commits, the other half talks to the relay. With larger groups all
    // lanes would run in lockstep, and relay and disk would wait for each other.
    let largest = lanes.div_ceil(2).clamp(8, 256);
    let queues = (0..writers).map(|number| {
        let writer = Arc::new(Writer::new(app, number));
        let line = Queue {
            name: "ledger",
            capacity: 1_024,
            largest,
        };
        GroupCommit::start(line, move |entries| {
            let writer = Arc::clone(&writer);
            async move { writer.commit(&entries).await }
        })
    });
    let spill = Spill {
        enough: lanes.div_ceil(4).max(4),
        slow: SLOW_COMMIT,
    };
    let lines = Lines::new(spill, queues);
    // It is already set only if a test starts the tasks twice.
    let _ = app.mailer.ledger.set(lines.pulses());
    Ledger(lines)
}

/// Writes one group after another.
struct Writer {
    app: App,
    /// Its stripe of the counters: writers that update the same row would wait for each other's commits.
    slot: i64,
    turns: Mutex<Turns>,
}

impl Writer {
    fn new(app: &App, number: usize) -> Self {
        let name = format!("ledger {number} of {}", app.node);
        Self {
            app: app.clone(),
            slot: app.slot_of(number),
            turns: Mutex::new(Turns::new(&app.db, "ledger", name)),
        }
    }

    async fn commit(&self, entries: &[Entry]) -> Result<Vec<Answer>, DbErr> {
        let (app, now) = (&self.app, self.app.clock.now());
        let backend = app.db.backend();
        let plain = |entry: &Entry| {
            let ends =
                entry.ending.is_some() || entry.rows.iter().any(|row| row.suppress.is_some());
            !ends && entry.back.is_none()
        };
        if backend == Backend::Postgres && entries.iter().all(plain) {
            crash_point("in_ledger_commit");
            let turns = &mut *self.turns.lock().await;
            let answers = at_once::commit(turns, &app.db, self.slot, entries, now).await?;
            crash_point("after_ledger_commit");
            return Ok(answers);
        }
        let txn = app.db.write_txn("ledger").await?;
        let answers = match backend {
            Backend::Sqlite => apart::write(&txn, self.slot, entries, now).await?,
            Backend::Postgres => {
                hold_readers(&txn, entries).await?;
                hold_mailings(&txn, entries).await?;
                at_once::write(&txn, self.slot, entries, now).await?
            }
        };
        taken_back::write(&txn, entries, &answers, now).await?;
        let written: Vec<&Entry> = entries
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| **answer != Answer::Stale)
            .map(|(entry, _)| entry)
            .collect();
        bounces::settle(app, &txn, &written, now).await?;
        for entry in written {
            if let Some(ending) = &entry.ending {
                end(&txn, backend, entry, ending, now).await?;
            }
        }
        crash_point("in_ledger_commit");
        txn.commit().await?;
        crash_point("after_ledger_commit");
        Ok(answers)
    }
}

/// Locks the readers whose addresses were refused, before anything else, as whatever ends subscriptions does. Of two
/// commits that each record a first bounce, the second must see both.
async fn hold_readers(txn: &WriteTxn, entries: &[Entry]) -> Result<(), DbErr> {
    let rows = entries.iter().flat_map(|entry| entry.rows.iter());
    let refused = rows.filter(|row| row.suppress.is_some());
    let readers: BTreeSet<i64> = refused.map(|row| row.reader.0).collect();
    if readers.is_empty() {
        return Ok(());
    }
    let sql = "SELECT 1 FROM reader WHERE id = ANY($1) ORDER BY id FOR UPDATE";
    let readers: Vec<i64> = readers.into_iter().collect();
    db::fetch_all(&**txn, sql, [readers.into()]).await.map(drop)
}

/// Locks the mailings whose batches end: if two transactions close the last two batches of a mailing, the second must
/// see what the first did.
async fn hold_mailings(txn: &WriteTxn, entries: &[Entry]) -> Result<(), DbErr> {
    let ending = entries.iter().filter(|entry| entry.ending.is_some());
    let ending: BTreeSet<i64> = ending.map(|entry| entry.issue.0).collect();
    let sql = "SELECT 1 FROM mailing WHERE issue_id = ANY($1) ORDER BY issue_id FOR UPDATE";
    let issues: Vec<i64> = ending.into_iter().collect();
    db::fetch_all(&**txn, sql, [issues.into()]).await.map(drop)
}

async fn end(
    txn: &WriteTxn,
    backend: Backend,
    entry: &Entry,
    ending: &Ending,
    now: UnixMillis,
) -> Result<(), DbErr> {
    match ending {
        Ending::Released(not_before) => {
            db::run(
                &**txn,
                "UPDATE mail_batch SET state = $3, lease_until_ms = 0, worker = '', not_before_ms = COALESCE($2, not_before_ms) WHERE id = $1",
                [
                    entry.batch.0.into(),
                    not_before.map(|at| at.0).into(),
                    BatchState::Waiting.code().into(),
                ],
            )
            .await?;
        }
        Ending::Done(rests) => {
            db::run(
                &**txn,
                "UPDATE mail_batch SET state = $2, lease_until_ms = 0 WHERE id = $1",
                [entry.batch.0.into(), BatchState::Done.code().into()],
            )
            .await?;
            for rest in rests.iter().filter(|rest| !rest.readers.is_empty()) {
                rest::put(txn, backend, entry.issue, entry.attempt, rest).await?;
            }
            crash_point("in_batch_end");
            control::finish(txn, entry.issue, now).await?;
        }
    }
    Ok(())
}
