//! The ledger's writer: intents and outcomes of all lanes in one durable commit.
//!
//! A lane's entry holds the outcomes it has not written yet, and the intent for its next mail. The holders of the
//! batches are checked in the same transaction (with row locks on PostgreSQL): an entry under an old fence writes
//! nothing.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::rest::{self, Rest};
use super::states::{DeliveryState, MailingState, Reason};
use super::{bounces, control};
use crate::{
    app::App,
    config::crash_point,
    db::{self, Backend, DbErr, WriteTxn, group_commit::GroupCommit},
    mailer::fate::Words,
    types::{BatchId, IssueId, ReaderId, UnixMillis},
};

/// What one lane wants written.
#[derive(Clone, Debug)]
pub(in crate::mailer) struct Entry {
    pub(super) batch: BatchId,
    pub(super) issue: IssueId,
    pub(super) fence: i64,
    /// Attempt number of the batch, from 1.
    pub(super) attempt: i64,
    pub(super) rows: Arc<Vec<Row>>,
    pub(super) intent: Option<Intent>,
    pub(super) ending: Option<Ending>,
}

/// The mail whose final dot is about to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Intent {
    pub(super) reader: ReaderId,
    /// How often a crash interrupted this very mail.
    pub(super) crashes: i16,
}

/// What became of a recipient.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) reader: ReaderId,
    /// Counted as deferred before.
    pub(super) was_deferred: bool,
    pub(super) state: DeliveryState,
    pub(super) reason: Reason,
    pub(super) words: Option<Words>,
    /// The address to suppress, as its keyed hash.
    pub(super) suppress: Option<Vec<u8>>,
}

/// How a lane leaves a batch.
#[derive(Clone, Debug)]
pub(super) enum Ending {
    /// Every recipient was dealt with, but for those that wait or are tried again.
    Done(Vec<Rest>),
    /// The rest is for somebody else, not before this time.
    Released(UnixMillis),
}

/// The answer to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mailer) enum Answer {
    /// All of it is on disk.
    Written,
    /// Outcomes and ending are on disk; the intent is not, since the mailing is not being sent.
    Halted,
    /// Somebody else holds the batch: nothing was written.
    Stale,
}

/// The queue to the writer.
pub(in crate::mailer) type Ledger = GroupCommit<Entry, Answer>;

/// Starts the writer.
pub(in crate::mailer) fn start(app: &App) -> Ledger {
    let app = app.clone();
    // Half of the lanes at a time: while one half commits, the other half talks to the relay. With larger groups all
    // lanes fall into step and relay and disk wait for each other.
    let largest = (app.config.mail.connections as usize)
        .div_ceil(2)
        .clamp(8, 256);
    let (ledger, _writer) = GroupCommit::start("ledger", 1_024, largest, move |entries| {
        let app = app.clone();
        async move { commit(&app, &entries).await }
    });
    ledger
}

async fn commit(app: &App, entries: &[Entry]) -> Result<Vec<Answer>, DbErr> {
    let txn = app.db.write_txn("ledger").await?;
    let now = app.clock.now();
    let answers = check(app, &txn, entries).await?;
    let valid: Vec<(&Entry, Answer)> = entries
        .iter()
        .zip(answers.iter().copied())
        .filter(|(_, answer)| *answer != Answer::Stale)
        .collect();
    write_deliveries(&txn, &valid, now).await?;
    write_attempts(&txn, &valid, now).await?;
    write_tally(&txn, app.slot, &valid).await?;
    let written: Vec<&Entry> = valid.iter().map(|(entry, _)| *entry).collect();
    bounces::settle(&txn, &written, now).await?;
    for (entry, _) in &valid {
        if let Some(ending) = &entry.ending {
            end(&txn, app.db.backend(), entry, ending, now).await?;
        }
    }
    crash_point("in_ledger_commit");
    txn.commit().await?;
    crash_point("after_ledger_commit");
    Ok(answers)
}

/// Who still holds which batch.
async fn check(app: &App, txn: &WriteTxn, entries: &[Entry]) -> Result<Vec<Answer>, DbErr> {
    let postgres = app.db.backend() == Backend::Postgres;
    let ending: BTreeSet<i64> = entries
        .iter()
        .filter(|e| e.ending.is_some())
        .map(|e| e.issue.0)
        .collect();
    if postgres && !ending.is_empty() {
        // Of two nodes that close the last two batches, the second must see the first's.
        let list = db::in_list(ending.len(), 0);
        let sql =
            format!("SELECT 1 FROM mailing WHERE issue_id IN {list} ORDER BY issue_id FOR UPDATE");
        db::fetch_all(&**txn, sql, ending.iter().map(|i| (*i).into())).await?;
    }
    let batches: BTreeSet<i64> = entries.iter().map(|e| e.batch.0).collect();
    let list = db::in_list(batches.len(), 0);
    let lock = if postgres { "FOR UPDATE OF b" } else { "" };
    let sql = format!(
        "SELECT b.id, b.fence, b.state, m.state FROM mail_batch b JOIN mailing m ON m.issue_id = b.issue_id
         WHERE b.id IN {list} ORDER BY b.id {lock}"
    );
    let rows = db::fetch_all(&**txn, sql, batches.iter().map(|i| (*i).into())).await?;
    let mut held: HashMap<i64, (i64, bool)> = HashMap::with_capacity(rows.len());
    for row in &rows {
        let (id, fence): (i64, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        let (leased, mailing): (i16, i16) = (row.try_get_by_index(2)?, row.try_get_by_index(3)?);
        if leased == 1 {
            held.insert(
                id,
                (fence, MailingState::of(mailing) == MailingState::Sending),
            );
        }
    }
    let answers = entries.iter().map(|entry| match held.get(&entry.batch.0) {
        Some((fence, sending)) if *fence == entry.fence => {
            if entry.intent.is_none() || *sending {
                Answer::Written
            } else {
                Answer::Halted
            }
        }
        _ => Answer::Stale,
    });
    Ok(answers.collect())
}

async fn write_deliveries(
    txn: &WriteTxn,
    valid: &[(&Entry, Answer)],
    now: UnixMillis,
) -> Result<(), DbErr> {
    const COLUMNS: usize = 8;
    let mut rows: Vec<[sea_orm::Value; COLUMNS]> = Vec::new();
    for (entry, answer) in valid {
        let row = |reader: ReaderId, state: DeliveryState, reason: i16, code: i16| {
            [
                entry.issue.0.into(),
                reader.0.into(),
                state.code().into(),
                reason.into(),
                entry.fence.into(),
                entry.attempt.into(),
                now.0.into(),
                code.into(),
            ]
        };
        for r in entry.rows.iter() {
            let code = r.words.as_ref().map_or(0, |words| words.code);
            rows.push(row(r.reader, r.state, r.reason.code(), code));
        }
        if let (Some(intent), Answer::Written) = (entry.intent, answer) {
            rows.push(row(intent.reader, DeliveryState::Intent, intent.crashes, 0));
        }
    }
    for chunk in rows.chunks(1_000) {
        let list = db::values_list(chunk.len(), COLUMNS, 0);
        let sql = format!(
            "INSERT INTO delivery (issue_id, reader_id, state, reason, fence, attempt, at_ms, code)
             VALUES {list} ON CONFLICT (issue_id, reader_id) DO UPDATE SET state = excluded.state,
             reason = excluded.reason, fence = excluded.fence, attempt = excluded.attempt,
             at_ms = excluded.at_ms, code = excluded.code"
        );
        db::run(&**txn, sql, chunk.iter().flatten().cloned()).await?;
    }
    Ok(())
}

/// What the server said, where it was not simply yes.
async fn write_attempts(
    txn: &WriteTxn,
    valid: &[(&Entry, Answer)],
    now: UnixMillis,
) -> Result<(), DbErr> {
    const COLUMNS: usize = 8;
    let mut values: Vec<sea_orm::Value> = Vec::new();
    for (entry, _) in valid {
        for row in entry.rows.iter() {
            let Some(words) = &row.words else {
                continue;
            };
            values.push(entry.issue.0.into());
            values.push(row.reader.0.into());
            values.push(entry.attempt.into());
            values.push(now.0.into());
            values.push(row.state.code().into());
            values.push(words.code.into());
            values.push(words.enhanced.clone().into());
            values.push(words.text.clone().into());
        }
    }
    for chunk in values.chunks(1_000 * COLUMNS) {
        let list = db::values_list(chunk.len() / COLUMNS, COLUMNS, 0);
        let sql = format!(
            "INSERT INTO delivery_attempt (issue_id, reader_id, attempt, at_ms, state, code, enhanced, reply)
             VALUES {list} ON CONFLICT (issue_id, reader_id, attempt) DO NOTHING"
        );
        db::run(&**txn, sql, chunk.iter().cloned()).await?;
    }
    Ok(())
}

async fn write_tally(txn: &WriteTxn, slot: i64, valid: &[(&Entry, Answer)]) -> Result<(), DbErr> {
    let mut changes = Tally::default();
    for (entry, _) in valid {
        for row in entry.rows.iter() {
            changes.row(entry.issue, row.was_deferred, row.state, row.reason);
        }
    }
    changes.write(txn, slot).await
}

/// Changes of the counters, gathered.
#[derive(Default)]
pub(super) struct Tally(BTreeMap<(i64, i16, i16), i64>);

impl Tally {
    /// A recipient that goes from one state to another by an order, with no batch in hand.
    pub(super) fn moved(
        &mut self,
        issue: IssueId,
        from: (DeliveryState, Reason),
        to: (DeliveryState, Reason),
    ) {
        let left = (issue.0, from.0.code(), from.1.code());
        *self.0.entry(left).or_default() -= 1;
        self.row(issue, false, to.0, to.1);
    }

    fn row(&mut self, issue: IssueId, was_deferred: bool, state: DeliveryState, reason: Reason) {
        let deferred = (issue.0, DeliveryState::Deferred.code(), 0);
        if was_deferred {
            *self.0.entry(deferred).or_default() -= 1;
        }
        // Deferred ones are counted together, so that leaving the state needs no memory of the reason.
        let key = match state {
            DeliveryState::Deferred => deferred,
            _ => (issue.0, state.code(), reason.code()),
        };
        *self.0.entry(key).or_default() += 1;
    }

    /// Keys are written in order: two nodes never wait for each other in a ring.
    pub(super) async fn write(self, txn: &WriteTxn, slot: i64) -> Result<(), DbErr> {
        let changes: Vec<_> = self.0.into_iter().filter(|(_, n)| *n != 0).collect();
        if changes.is_empty() {
            return Ok(());
        }
        let list = db::values_list(changes.len(), 5, 0);
        let sql = format!(
            "INSERT INTO issue_tally (issue_id, state, reason, slot, n) VALUES {list}
             ON CONFLICT (issue_id, state, reason, slot) DO UPDATE SET n = issue_tally.n + excluded.n"
        );
        let values = changes.into_iter().flat_map(|((issue, state, reason), n)| {
            [
                issue.into(),
                state.into(),
                reason.into(),
                slot.into(),
                n.into(),
            ]
        });
        db::run(&**txn, sql, values).await.map(drop)
    }
}

/// Writes an entry in a transaction that has made sure of the batch itself.
pub(super) async fn write_off(
    txn: &WriteTxn,
    slot: i64,
    entry: &Entry,
    now: UnixMillis,
) -> Result<(), DbErr> {
    let valid = [(entry, Answer::Written)];
    write_deliveries(txn, &valid, now).await?;
    write_tally(txn, slot, &valid).await
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
                "UPDATE mail_batch SET state = 0, lease_until_ms = 0, worker = '', not_before_ms = $2 WHERE id = $1",
                [entry.batch.0.into(), not_before.0.into()],
            )
            .await?;
        }
        Ending::Done(rests) => {
            db::run(
                &**txn,
                "UPDATE mail_batch SET state = 2, lease_until_ms = 0 WHERE id = $1",
                [entry.batch.0.into()],
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
