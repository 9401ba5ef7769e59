//! Writes off the unsent mails of cancelled issues as skipped, batch by batch.

use std::sync::Arc;

use sea_orm::FromQueryResult;

use super::lease::{InLedger, in_ledger};
use super::ledger::{Entry, Row, write_off as write_off_rows};
use super::states::{BatchState, DeliveryState, MailingState, Reason};
use crate::types::reader_list::unpacked;
use crate::{
    app::App,
    db::{self, DbErr, Unfinished},
    mailer::leases::LeaseSql,
    types::{BatchId, IssueId, ReaderId},
};

/// Writes off the free batches of every cancelled issue; those that a lane still holds follow on a later tick. A
/// failure of one issue is logged and does not stop the others.
pub(super) async fn sweep(app: &App) -> Result<(), Unfinished> {
    let issues: Vec<IssueId> = db::find_values(
        app.db.read(),
        "SELECT issue_id FROM mailing WHERE state = $1",
        [MailingState::Cancelling.code().into()],
    )
    .await?;
    let mut some_failed = false;
    for issue in issues {
        if let Err(error) = write_off(app, issue).await {
            tracing::error!(issue = issue.0, %error, "the rest of a cancelled issue could not be written off");
            some_failed = true;
        }
    }
    match some_failed {
        true => Err(Unfinished::Logged),
        false => Ok(()),
    }
}

async fn write_off(app: &App, issue: IssueId) -> Result<(), DbErr> {
    while !app.stopping.is_cancelled() && write_off_batch(app, issue).await? {}
    finish(app, issue).await
}

/// A batch that is written off.
#[derive(FromQueryResult)]
struct Cancelled {
    id: BatchId,
    fence: i64,
    attempt: i64,
    readers: Vec<u8>,
}

/// Writes off one batch in one commit. Returns false if none is free.
async fn write_off_batch(app: &App, issue: IssueId) -> Result<bool, DbErr> {
    let now = app.clock.now();
    let txn = app.db.write_txn("mailing_cancel").await?;
    let sql = LeaseSql::new(app, app.mailer.held_batches());
    let (over, lock) = (sql.over(""), sql.lock);
    let batch: Option<Cancelled> = db::find_one(
        &*txn,
        format!(
            "SELECT id, fence, attempt, readers FROM mail_batch WHERE issue_id = $1 AND
             (state = {} OR (state = {} AND {over})) ORDER BY id LIMIT 1 {lock}",
            BatchState::Waiting.code(),
            BatchState::Leased.code()
        ),
        [issue.0.into()],
    )
    .await?;
    let Some(batch) = batch else {
        return Ok(false);
    };
    let readers = unpacked(&batch.readers);
    let ledger = in_ledger(&*txn, issue, &readers).await?;
    let off = readers
        .into_iter()
        .filter_map(|reader| written_off(reader, ledger.get(&reader), batch.attempt))
        .collect();
    let entry = Entry {
        batch: batch.id,
        issue,
        fence: batch.fence + 1,
        attempt: batch.attempt,
        rows: Arc::new(off),
        back: None,
        intent: None,
        ending: None,
    };
    write_off_rows(&txn, app.slot, &entry, now).await?;
    db::run(
        &*txn,
        "UPDATE mail_batch SET state = $2, fence = fence + 1 WHERE id = $1",
        [batch.id.into(), BatchState::Done.code().into()],
    )
    .await?;
    txn.commit().await?;
    Ok(true)
}

/// What becomes of a reader in a batch of this attempt; `None`: the reader stays as the ledger says.
fn written_off(reader: ReaderId, known: Option<&InLedger>, attempt: i64) -> Option<Row> {
    if known.is_some_and(|k| k.attempt > attempt) {
        // It was ordered to be sent again: the batch that holds it now writes it off or is just sending it.
        return None;
    }
    let (state, reason) = match known.map(|k| (k.state, k.doubt())) {
        Some((_, Some(doubt))) => (DeliveryState::Unknown, doubt),
        None | Some((DeliveryState::Deferred, _)) => (DeliveryState::Skipped, Reason::Cancelled),
        Some(_) => return None,
    };
    Some(Row {
        reader,
        was_deferred: known.is_some_and(|k| k.was_deferred()),
        state,
        reason,
        words: None,
        suppress: None,
    })
}

async fn finish(app: &App, issue: IssueId) -> Result<(), DbErr> {
    let txn = app.db.write_txn("mailing_cancelled").await?;
    let done = db::run(
        &*txn,
        // A leased batch alone does not mean that sending began: if nobody can have got a mail, the issue has not
        // started.
        "UPDATE mailing SET state = $2, finished_ms = $3, started_ms = CASE
           WHEN (SELECT SUM(n) FROM issue_tally WHERE issue_id = $1 AND state IN ($5, $6)) > 0 THEN started_ms END
         WHERE issue_id = $1 AND state = $4
         AND NOT EXISTS (SELECT 1 FROM mail_batch WHERE issue_id = $1 AND state < $7)",
        [
            issue.0.into(),
            MailingState::Cancelled.code().into(),
            app.clock.now().0.into(),
            MailingState::Cancelling.code().into(),
            DeliveryState::Sent.code().into(),
            DeliveryState::Unknown.code().into(),
            BatchState::Done.code().into(),
        ],
    )
    .await?;
    if done.rows_affected() > 0 {
        db::run(
            &*txn,
            "DELETE FROM mail_batch WHERE issue_id = $1",
            [issue.0.into()],
        )
        .await?;
    }
    txn.commit().await
}
