//! Freezing an audience: one snapshot in, packed batches out, in constant memory.
//!
//! The ids come from one statement, so from one instant, and are written in chunks of batches, each in a short commit
//! of its own, while the mailing is still *preparing*: nothing is sent before the last commit, which records the size
//! of the audience. A node that begins raises the mailing's `prepare_fence` and removes what an earlier attempt left;
//! each chunk is written under that fence. So after a crash the preparation just starts over, and if two nodes prepare
//! the same mailing, one is refused.

use futures::TryStreamExt as _;
use sea_orm::{FromQueryResult, StreamTrait as _, Value};

use super::progress::audience;
use super::readers::batch_size;
use super::states::{BatchState, MailingState};
use crate::types::reader_list::{packed, unpacked};
use crate::{
    app::App,
    config::crash_point,
    db::{self, DbErr, Unfinished, WriteTxn},
    mailer::leases::LeaseSql,
    types::{IssueId, NewsletterId, ReaderId, SubscriptionState, UnixMillis},
};

/// Batches per commit: 64 × 6 parameters, up to 32,000 readers.
const CHUNK: usize = 64;

/// A mailing whose audience is to be frozen.
#[derive(FromQueryResult)]
struct Frozen {
    #[sea_orm(from_alias = "issue_id")]
    issue: IssueId,
    #[sea_orm(from_alias = "newsletter_id")]
    newsletter: NewsletterId,
    /// The cut-off.
    #[sea_orm(from_alias = "frozen_ms")]
    at: UnixMillis,
    #[sea_orm(from_alias = "not_before_ms")]
    not_before: UnixMillis,
}

/// Freezes the audience of every mailing that waits for it; a failure of one mailing is logged and does not keep the
/// others from starting.
pub(super) async fn prepare_due(app: &App) -> Result<(), Unfinished> {
    let free = LeaseSql::new(app, app.mailer.held_batches()).run_out("prepare_until_ms");
    let due: Vec<Frozen> = db::find_all(
        app.db.read(),
        format!(
            "SELECT issue_id, newsletter_id, frozen_ms, not_before_ms FROM mailing WHERE state = {} AND {free}
             ORDER BY issue_id",
            MailingState::Preparing.code()
        ),
        [],
    )
    .await?;
    let mut some_failed = false;
    for frozen in &due {
        // A failure of one issue must not stop the others; this one stays due.
        if let Err(error) = prepare(app, frozen).await {
            tracing::error!(issue = frozen.issue.0, %error, "the audience of an issue could not be frozen");
            some_failed = true;
        }
    }
    match some_failed {
        true => Err(Unfinished::Logged),
        false => Ok(()),
    }
}

async fn prepare(app: &App, frozen: &Frozen) -> Result<(), DbErr> {
    let Some(fence) = claim(app, frozen.issue).await? else {
        return Ok(());
    };
    crash_point("prepare_begun");
    let filled = fill(app, frozen, fence).await;
    match filled {
        Ok(Some(audience)) => {
            tracing::info!(
                issue = frozen.issue.0,
                audience,
                "the audience of an issue was frozen"
            );
            Ok(())
        }
        Ok(None) => give_back(app, frozen.issue, fence).await,
        Err(error) => {
            // The first error is the one to report.
            let _ = give_back(app, frozen.issue, fence).await;
            Err(error)
        }
    }
}

/// Claims the preparation for this process. `None`: another node has it, or it is no longer needed.
async fn claim(app: &App, issue: IssueId) -> Result<Option<i64>, DbErr> {
    let txn = app.db.write_txn("mailing_claim").await?;
    let sql = LeaseSql::new(app, app.mailer.held_batches());
    let (free, until) = (sql.run_out("prepare_until_ms"), sql.until());
    let fence: Option<i64> = db::find_value(
        &*txn,
        format!(
            "UPDATE mailing SET prepare_fence = prepare_fence + 1, prepare_until_ms = {until}
             WHERE issue_id = $1 AND state = {} AND {free} RETURNING prepare_fence",
            MailingState::Preparing.code()
        ),
        [issue.0.into()],
    )
    .await?;
    if fence.is_none() {
        return Ok(None);
    }
    db::run(
        &*txn,
        "DELETE FROM mail_batch WHERE issue_id = $1",
        [issue.0.into()],
    )
    .await?;
    txn.commit().await?;
    Ok(fence)
}

/// Gives the claim back, so that any node can begin at once.
async fn give_back(app: &App, issue: IssueId, fence: i64) -> Result<(), DbErr> {
    let txn = app.db.write_txn("mailing_unclaim").await?;
    db::run(
        &*txn,
        "UPDATE mailing SET prepare_until_ms = 0 WHERE issue_id = $1 AND prepare_fence = $2",
        [issue.0.into(), fence.into()],
    )
    .await?;
    txn.commit().await
}

/// Writes the batches. Returns the size of the audience, or `None` if this process has lost the claim.
async fn fill(app: &App, frozen: &Frozen, fence: i64) -> Result<Option<i64>, DbErr> {
    let only = only(app, frozen.issue).await?;
    let is_meant = |reader: ReaderId| {
        let found = only.as_ref().map(|only| only.binary_search(&reader));
        found.is_none_or(|found| found.is_ok())
    };
    let lanes = usize::try_from(app.config.mail.connections).unwrap_or(1);
    let expected = match &only {
        Some(only) => only.len(),
        None => usize::try_from(audience(app.db.read(), frozen.newsletter).await?).unwrap_or(0),
    };
    let size = batch_size(expected, lanes);
    // Every reader who is subscribed now and was at the cut-off, in the order of their ids.
    let snapshot = db::query(
        app.db.read(),
        format!(
            "SELECT reader_id FROM subscription WHERE newsletter_id = $1 AND state = {} AND confirmed_ms <= $2
             ORDER BY reader_id",
            SubscriptionState::Active.code()
        ),
        [frozen.newsletter.0.into(), frozen.at.0.into()],
    );
    let mut rows = app.db.read().stream_raw(snapshot).await?;
    let mut frozen_readers = 0;
    let mut batch: Vec<ReaderId> = Vec::with_capacity(size);
    let mut chunk: Vec<Vec<Value>> = Vec::with_capacity(CHUNK);
    while let Some(row) = rows.try_next().await? {
        let reader = ReaderId(row.try_get_by_index(0)?);
        if !is_meant(reader) {
            continue;
        }
        batch.push(reader);
        frozen_readers += 1;
        if batch.len() == size {
            chunk.push(row_of(frozen, &batch));
            batch.clear();
        }
        if chunk.len() == CHUNK {
            if app.stopping.is_cancelled() {
                return Ok(None);
            }
            let txn = app.db.write_txn("mailing_chunk").await?;
            if !write(app, &txn, frozen.issue, fence, std::mem::take(&mut chunk)).await? {
                return Ok(None);
            }
            txn.commit().await?;
            crash_point("prepare_chunk");
        }
    }
    drop(rows);
    if !batch.is_empty() {
        chunk.push(row_of(frozen, &batch));
    }
    let txn = app.db.write_txn("mailing_prepare").await?;
    if !write(app, &txn, frozen.issue, fence, chunk).await? {
        return Ok(None);
    }
    conclude(app, &txn, frozen.issue, frozen_readers).await?;
    crash_point("prepare_end");
    txn.ring();
    txn.commit().await?;
    Ok(Some(frozen_readers))
}

/// Starts the mailing, now that its audience is complete.
async fn conclude(
    app: &App,
    txn: &WriteTxn,
    issue: IssueId,
    frozen_readers: i64,
) -> Result<(), DbErr> {
    // Without any readers it is finished at once: an unfinished issue with an audience of 0 counts as unprepared
    // (`control::resume`).
    let (state, finished) = match frozen_readers {
        0 => (MailingState::Finished, Some(app.clock.now().0)),
        _ => (MailingState::Sending, None),
    };
    db::run(
        &**txn,
        "UPDATE mailing SET state = $2, audience = $3, finished_ms = $4 WHERE issue_id = $1",
        [
            issue.0.into(),
            state.code().into(),
            frozen_readers.into(),
            finished.into(),
        ],
    )
    .await?;
    // These readers are in the batches now.
    db::run(
        &**txn,
        "DELETE FROM mailing_only WHERE issue_id = $1",
        [issue.0.into()],
    )
    .await
    .map(drop)
}

/// The readers it is restricted to, ascending; `None`: all of the newsletter's.
async fn only(app: &App, issue: IssueId) -> Result<Option<Vec<ReaderId>>, DbErr> {
    let sql = "SELECT readers FROM mailing_only WHERE issue_id = $1";
    let only: Option<Vec<u8>> = db::find_value(app.db.read(), sql, [issue.0.into()]).await?;
    Ok(only.map(|only| unpacked(&only)))
}

fn row_of(frozen: &Frozen, batch: &[ReaderId]) -> Vec<Value> {
    let end = |reader: Option<&ReaderId>| reader.map_or(0, |r| r.0);
    vec![
        frozen.issue.0.into(),
        end(batch.first()).into(),
        end(batch.last()).into(),
        packed(batch).into(),
        BatchState::Waiting.code().into(),
        frozen.not_before.0.into(),
    ]
}

/// Writes a chunk under the fence. `false`: another node prepares the mailing, or the issue was withdrawn.
async fn write(
    app: &App,
    txn: &WriteTxn,
    issue: IssueId,
    fence: i64,
    chunk: Vec<Vec<Value>>,
) -> Result<bool, DbErr> {
    let until = LeaseSql::new(app, app.mailer.held_batches()).until();
    let mine = db::run(
        &**txn,
        format!(
            "UPDATE mailing SET prepare_until_ms = {until} WHERE issue_id = $1 AND state = {} AND prepare_fence = $2",
            MailingState::Preparing.code()
        ),
        [issue.0.into(), fence.into()],
    )
    .await?;
    if mine.rows_affected() == 0 {
        return Ok(false);
    }
    if !chunk.is_empty() {
        let rows = db::values_list(chunk.len(), 6, 0);
        let sql = format!(
            "INSERT INTO mail_batch (issue_id, lo, hi, readers, state, not_before_ms) VALUES {rows}"
        );
        db::run(&**txn, sql, chunk.into_iter().flatten()).await?;
    }
    Ok(true)
}
