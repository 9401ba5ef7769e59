//! The ledger's writes as separate statements, for SQLite, where a statement costs no round trip.

use std::collections::{BTreeSet, HashMap};

use super::super::states::{DeliveryState, MailingState};
use super::{Answer, Entry, Tally};
use crate::{
    db::{self, DbErr, WriteTxn},
    types::{ReaderId, UnixMillis},
};

/// Writes the entries whose lanes still hold their batches, except for their endings.
pub(super) async fn write(
    txn: &WriteTxn,
    slot: i64,
    entries: &[Entry],
    now: UnixMillis,
) -> Result<Vec<Answer>, DbErr> {
    let answers = check(txn, entries).await?;
    let valid: Vec<(&Entry, Answer)> = entries
        .iter()
        .zip(answers.iter().copied())
        .filter(|(_, answer)| *answer != Answer::Stale)
        .collect();
    write_deliveries(txn, &valid, now).await?;
    write_attempts(txn, &valid, now).await?;
    write_tally(txn, slot, &valid).await?;
    Ok(answers)
}

/// Checks which entries' lanes still hold their batches.
async fn check(txn: &WriteTxn, entries: &[Entry]) -> Result<Vec<Answer>, DbErr> {
    let batches: BTreeSet<i64> = entries.iter().map(|e| e.batch.0).collect();
    let list = db::in_list(batches.len(), 0);
    let sql = format!(
        "SELECT b.id, b.fence, b.state, m.state FROM mail_batch b JOIN mailing m ON m.issue_id = b.issue_id
         WHERE b.id IN {list} ORDER BY b.id"
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

/// Writes the servers' replies, except plain acceptances.
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

/// Writes an entry in a transaction whose caller has already locked and checked the batch.
pub(in super::super) async fn write_off(
    txn: &WriteTxn,
    slot: i64,
    entry: &Entry,
    now: UnixMillis,
) -> Result<(), DbErr> {
    let valid = [(entry, Answer::Written)];
    write_deliveries(txn, &valid, now).await?;
    write_tally(txn, slot, &valid).await
}
