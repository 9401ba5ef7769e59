//! What an editor can do with a mailing.

use super::orders::{self, By, OrderKind};
use super::settle::lock;
use super::states::MailingState;
use crate::{
    app::App,
    config::crash_point,
    db::{self, DbErr, WriteTxn},
    mailer::mime::Edition,
    types::{IssueId, NewsletterId, ReaderId, UnixMillis, reader_list::packed},
};

/// An issue on its way to the mailer.
#[derive(Clone, Debug)]
pub struct Handover<'e> {
    /// Which issue.
    pub issue: IssueId,
    /// Whose readers get it.
    pub newsletter: NewsletterId,
    /// Only these of them, ascending; `None`: all.
    pub only: Option<&'e [ReaderId]>,
    /// The compiled mail, frozen from now on.
    pub edition: &'e Edition,
    /// The first mail goes out then. The time to undo lies before the hand-over.
    pub not_before: UnixMillis,
    /// Deferred mails are given up then; those that were first attempted later have [`Mail::retries`](crate::config::Mail::retries)
    /// from their first attempt.
    pub expires: UnixMillis,
    /// The cut-off: who subscribed later is not in the audience.
    pub now: UnixMillis,
}

/// What became of a request to change a mailing's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Done.
    Done,
    /// It is in this state already, or in one from which that cannot be done.
    NotNow(MailingState),
    /// There is no such mailing.
    Unknown,
}

/// Hands an issue over, in the transaction that freezes it.
///
/// # Errors
/// What the database said; a unique violation when the issue was handed over before.
pub async fn hand_over(txn: &WriteTxn, handover: &Handover<'_>) -> Result<(), DbErr> {
    txn.ring();
    if let Some(only) = handover.only {
        db::run(
            &**txn,
            "INSERT INTO mailing_only (issue_id, readers) VALUES ($1, $2)",
            [handover.issue.0.into(), packed(only).into()],
        )
        .await?;
    }
    let edition = serde_json::to_vec(handover.edition).map_err(|e| DbErr::Json(e.to_string()))?;
    db::run(
        &**txn,
        "INSERT INTO mailing (issue_id, newsletter_id, state, edition, not_before_ms, expires_ms, frozen_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [
            handover.issue.0.into(),
            handover.newsletter.0.into(),
            MailingState::Preparing.code().into(),
            edition.into(),
            handover.not_before.0.into(),
            handover.expires.0.into(),
            handover.now.0.into(),
        ],
    )
    .await
    .map(drop)
}

/// What can be asked of an issue on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steer {
    /// Stops it: at most one mail a connection still goes.
    Pause,
    /// Goes on: exactly the rest.
    Resume,
    /// Stops it for good; who has not got it is counted as skipped.
    Cancel,
}

impl Steer {
    /// The state it leads to.
    #[must_use]
    pub fn leads_to(self) -> MailingState {
        match self {
            Self::Pause => MailingState::Paused,
            Self::Resume => MailingState::Sending,
            Self::Cancel => MailingState::Cancelling,
        }
    }

    /// Whether a mailing in this state is where it leads: a second press of one button is no error.
    #[must_use]
    pub fn has_led_to(self, state: MailingState) -> bool {
        // What was restored while it was being prepared is prepared first.
        state == self.leads_to() || (self == Self::Resume && state == MailingState::Preparing)
    }
}

/// Pauses, resumes or cancels, in the caller's transaction.
pub async fn steer(
    app: &App,
    txn: &WriteTxn,
    issue: IssueId,
    what: Steer,
    by: &By,
) -> Result<Change, DbErr> {
    let (change, kind) = match what {
        Steer::Pause => {
            let reason = format!("paused by {}", by.who);
            let change = change(txn, issue, "1", MailingState::Paused, &reason).await?;
            (change, OrderKind::Pause)
        }
        Steer::Resume => (resume(app, txn, issue, by).await?, OrderKind::Resume),
        Steer::Cancel => {
            let reason = format!("cancelled by {}", by.who);
            let change = change(txn, issue, "1, 2", MailingState::Cancelling, &reason).await?;
            if change == Change::Done {
                forget_unprepared(txn, issue).await?;
            }
            (change, OrderKind::Cancel)
        }
    };
    if change == Change::Done {
        txn.ring();
        orders::record(txn, issue, kind, by, 0, "").await?;
    }
    Ok(change)
}

/// Goes on: with the rest, with the time of a new issue for those who were deferred. Where the audience was not frozen when a backup was
/// made, that comes first.
async fn resume(app: &App, txn: &WriteTxn, issue: IssueId, by: &By) -> Result<Change, DbErr> {
    let expires = by.now + app.config.mail.retries();
    let resumed = db::run(
        &**txn,
        "UPDATE mailing SET state = CASE WHEN audience = 0 THEN $2 ELSE $3 END, reason = '',
           expires_ms = CASE WHEN expires_ms < $4 THEN $4 ELSE expires_ms END WHERE issue_id = $1 AND state = $5",
        [
            issue.0.into(),
            MailingState::Preparing.code().into(),
            MailingState::Sending.code().into(),
            expires.0.into(),
            MailingState::Paused.code().into(),
        ],
    )
    .await?;
    if resumed.rows_affected() == 0 {
        refused(txn, issue).await
    } else {
        Ok(Change::Done)
    }
}

/// Of an audience that was not frozen to its end nobody is written off: it has no number.
async fn forget_unprepared(txn: &WriteTxn, issue: IssueId) -> Result<(), DbErr> {
    for table in ["mail_batch", "mailing_only"] {
        let sql = format!(
            "DELETE FROM {table} WHERE issue_id = $1 AND (SELECT audience FROM mailing WHERE issue_id = $1) = 0"
        );
        db::run(&**txn, sql, [issue.0.into()]).await?;
    }
    Ok(())
}

/// The mailer stops an issue by itself, and says why: to the editors, and in the log, so in words of ours.
pub async fn pause(app: &App, issue: IssueId, why: &str) -> Result<Change, DbErr> {
    let txn = app.db.write_txn("mailing_pause").await?;
    let change = change(&txn, issue, "1", MailingState::Paused, why).await?;
    if change == Change::Done {
        let by = By::nobody(app.clock.now());
        orders::record(&txn, issue, OrderKind::PausedItself, &by, 0, why).await?;
    }
    txn.commit().await?;
    if change == Change::Done {
        tracing::warn!(issue = issue.0, why, "an issue paused itself");
    }
    Ok(change)
}

/// Whether mails of the issue may leave now, as far as this node's database knows. A look without the writer.
pub(super) async fn is_sending(app: &App, issue: IssueId) -> Result<bool, DbErr> {
    let sql = "SELECT 1 FROM mailing WHERE issue_id = $1 AND state = $2";
    let values = [issue.0.into(), MailingState::Sending.code().into()];
    Ok(db::fetch_one(app.db.read(), sql, values).await?.is_some())
}

/// Pauses everything that is under way or about to begin, for a database that may not know what was sent since. Returns how many
/// issues that is. One whose audience was being frozen has none yet: by that it is known when it is resumed.
pub async fn pause_all(txn: &WriteTxn, why: &str) -> Result<u64, DbErr> {
    let sql = "UPDATE mailing SET state = 2, reason = $1 WHERE state IN (0, 1)";
    Ok(db::run(&**txn, sql, [why.into()]).await?.rows_affected())
}

async fn change(
    txn: &WriteTxn,
    issue: IssueId,
    from: &str,
    to: MailingState,
    reason: &str,
) -> Result<Change, DbErr> {
    let changed = db::run(
        &**txn,
        format!(
            "UPDATE mailing SET state = $2, reason = $3 WHERE issue_id = $1 AND state IN ({from})"
        ),
        [issue.0.into(), to.code().into(), reason.into()],
    )
    .await?;
    if changed.rows_affected() == 0 {
        refused(txn, issue).await
    } else {
        Ok(Change::Done)
    }
}

async fn refused(txn: &WriteTxn, issue: IssueId) -> Result<Change, DbErr> {
    let row = db::fetch_one(
        &**txn,
        "SELECT state FROM mailing WHERE issue_id = $1",
        [issue.0.into()],
    )
    .await?;
    Ok(match row {
        Some(row) => Change::NotNow(MailingState::of(row.try_get_by_index(0)?)),
        None => Change::Unknown,
    })
}

/// Finishes mailings whose batches are all done: what the last commit of a batch usually does itself.
pub(super) async fn finish_done(app: &App) -> Result<bool, DbErr> {
    let done = db::fetch_all(
        app.db.read(),
        "SELECT issue_id FROM mailing m WHERE state = 1 AND NOT EXISTS
           (SELECT 1 FROM mail_batch b WHERE b.issue_id = m.issue_id AND b.state < 2)",
        [],
    )
    .await?;
    if done.is_empty() {
        return Ok(false);
    }
    let txn = app.db.write_txn("mailing_finish").await?;
    for row in &done {
        let issue = IssueId(row.try_get_by_index(0)?);
        // Somebody may just order a part of it again: the row is held first, so that the look at the batches is a fresh one.
        lock(app, &txn, issue).await?;
        finish(&txn, issue, app.clock.now()).await?;
    }
    txn.commit().await?;
    Ok(true)
}

/// Finishes a mailing if nothing of it waits. The caller holds the mailing's row.
pub(super) async fn finish(txn: &WriteTxn, issue: IssueId, now: UnixMillis) -> Result<(), DbErr> {
    let finished = db::run(
        &**txn,
        "UPDATE mailing SET state = $2, finished_ms = $3, reason = '' WHERE issue_id = $1 AND state = 1
         AND NOT EXISTS (SELECT 1 FROM mail_batch WHERE issue_id = $1 AND state < 2)",
        [issue.0.into(), MailingState::Finished.code().into(), now.0.into()],
    )
    .await?;
    if finished.rows_affected() > 0 {
        crash_point("in_finish");
        db::run(
            &**txn,
            "DELETE FROM mail_batch WHERE issue_id = $1",
            [issue.0.into()],
        )
        .await?;
    }
    Ok(())
}
