//! Writes off the unsent mails of cancelled issues as skipped, batch by batch.

use std::sync::Arc;

use super::lease::in_ledger;
use super::ledger::{Entry, Row, write_off as write_off_rows};
use super::states::{DeliveryState, MailingState, Reason};
use crate::types::reader_list::unpacked;
use crate::{
    app::App,
    db::{self, DbErr},
    mailer::leases::LeaseSql,
    types::{BatchId, IssueId},
};

/// Writes off the free batches of every cancelled issue; those that a lane still holds follow on a later tick.
pub(super) async fn sweep(app: &App) -> Result<bool, DbErr> {
    let rows = db::fetch_all(
        app.db.read(),
        "SELECT issue_id FROM mailing WHERE state = $1",
        [MailingState::Cancelling.code().into()],
    )
    .await?;
    let (mut any, mut failed) = (false, None);
    for row in &rows {
        let issue = IssueId(row.try_get_by_index(0)?);
        match write_off(app, issue).await {
            Ok(some) => any |= some,
            Err(error) => {
                tracing::error!(issue = issue.0, %error, "the rest of a cancelled issue could not be written off");
                failed = Some(error);
            }
        }
    }
    failed.map_or(Ok(any), Err)
}

async fn write_off(app: &App, issue: IssueId) -> Result<bool, DbErr> {
    let mut any = false;
    while !app.stopping.is_cancelled() && write_off_batch(app, issue).await? {
        any = true;
    }
    Ok(any | finish(app, issue).await?)
}

/// Writes off one batch in one commit. Returns false if none is free.
async fn write_off_batch(app: &App, issue: IssueId) -> Result<bool, DbErr> {
    let now = app.clock.now();
    let txn = app.db.write_txn("mailing_cancel").await?;
    let sql = LeaseSql::new(app, app.mailer.held_batches());
    let (over, lock) = (sql.over(""), sql.lock);
    let batch = db::fetch_one(
        &*txn,
        format!(
            "SELECT id, fence, attempt, readers FROM mail_batch WHERE issue_id = $1 AND
             (state = 0 OR (state = 1 AND {over})) ORDER BY id LIMIT 1 {lock}"
        ),
        [issue.0.into()],
    )
    .await?;
    let Some(batch) = batch else {
        return Ok(false);
    };
    let id: i64 = batch.try_get_by_index(0)?;
    let fence: i64 = batch.try_get_by_index(1)?;
    let attempt: i64 = batch.try_get_by_index(2)?;
    let readers = unpacked(&batch.try_get_by_index::<Vec<u8>>(3)?);
    let ledger = in_ledger(&*txn, issue, &readers).await?;
    let mut off = Vec::with_capacity(readers.len());
    for reader in readers {
        let known = ledger.get(&reader);
        if known.is_some_and(|k| k.attempt > attempt) {
            // It was ordered to be sent again: the batch that holds it now writes it off or is just sending it.
            continue;
        }
        let (state, reason) = match known.map(|k| (k.state, k.in_doubt())) {
            Some((_, true)) => (DeliveryState::Unknown, Reason::InDoubt),
            None | Some((DeliveryState::Deferred, _)) => {
                (DeliveryState::Skipped, Reason::Cancelled)
            }
            Some(_) => continue,
        };
        off.push(Row {
            reader,
            was_deferred: known.is_some_and(|k| k.was_deferred()),
            state,
            reason,
            words: None,
            suppress: None,
        });
    }
    let entry = Entry {
        batch: BatchId(id),
        issue,
        fence: fence + 1,
        attempt,
        rows: Arc::new(off),
        back: None,
        intent: None,
        ending: None,
    };
    write_off_rows(&txn, app.slot, &entry, now).await?;
    db::run(
        &*txn,
        "UPDATE mail_batch SET state = 2, fence = fence + 1 WHERE id = $1",
        [id.into()],
    )
    .await?;
    txn.commit().await?;
    Ok(true)
}

async fn finish(app: &App, issue: IssueId) -> Result<bool, DbErr> {
    let txn = app.db.write_txn("mailing_cancelled").await?;
    let done = db::run(
        &*txn,
        // A leased batch alone does not mean that sending began: if nobody can have got a mail, the issue has not
        // started.
        "UPDATE mailing SET state = $2, finished_ms = $3, started_ms = CASE
           WHEN (SELECT SUM(n) FROM issue_tally WHERE issue_id = $1 AND state IN ($5, $6)) > 0 THEN started_ms END
         WHERE issue_id = $1 AND state = $4
         AND NOT EXISTS (SELECT 1 FROM mail_batch WHERE issue_id = $1 AND state < 2)",
        [
            issue.0.into(),
            MailingState::Cancelled.code().into(),
            app.clock.now().0.into(),
            MailingState::Cancelling.code().into(),
            DeliveryState::Sent.code().into(),
            DeliveryState::Unknown.code().into(),
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
    txn.commit().await?;
    Ok(done.rows_affected() > 0)
}
