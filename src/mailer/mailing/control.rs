//! Starting, pausing, resuming and cancelling a mailing.

use sea_orm::Value;

use super::orders::{self, By, OrderKind};
use super::settle::lock;
use super::states::{BatchState, MailingState};
use crate::{
    app::App,
    config::crash_point,
    db::{self, DbErr, WriteTxn},
    mailer::mime::Edition,
    types::{IssueId, NewsletterId, ReaderId, UnixMillis, reader_list::packed},
};

/// An issue that is handed to the mailer.
#[derive(Clone, Debug)]
pub struct Handover<'e> {
    /// The issue.
    pub issue: IssueId,
    /// The newsletter whose readers get it.
    pub newsletter: NewsletterId,
    /// Restricts it to these readers, ascending; `None`: all.
    pub only: Option<&'e [ReaderId]>,
    /// The compiled mail, frozen from now on.
    pub edition: &'e Edition,
    /// No mail is sent before this time. The time in which an editor can undo lies before the hand-over.
    pub not_before: UnixMillis,
    /// Deferred mails are given up after this time, or [`Mail::retries`](crate::config::Mail::retries) after their
    /// first attempt if that is later.
    pub expires: UnixMillis,
    /// The cut-off: readers who subscribe later are not in the audience.
    pub now: UnixMillis,
}

/// The result of a request to change a mailing's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Done.
    Done,
    /// It is in this state, which already is the requested one or does not allow the change.
    NotNow(MailingState),
    /// There is no such mailing.
    Unknown,
}

/// Hands an issue over, in the transaction that freezes it.
///
/// # Errors
/// On a database error; a unique violation if the issue was handed over before.
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

/// A command for an issue that is being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steer {
    /// Pauses it: at most one more mail per connection is sent.
    Pause,
    /// Continues with exactly the remaining recipients.
    Resume,
    /// Stops it for good; the readers who have not got it are counted as skipped.
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

    /// Whether a mailing in this state already is where the command leads, so that pressing a button twice is no error.
    #[must_use]
    pub fn has_led_to(self, state: MailingState) -> bool {
        // A mailing that a backup caught while it was being prepared is prepared first.
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
            let change = change(
                txn,
                issue,
                &[MailingState::Sending],
                MailingState::Paused,
                &reason,
            )
            .await?;
            (change, OrderKind::Pause)
        }
        Steer::Resume => (resume(app, txn, issue, by).await?, OrderKind::Resume),
        Steer::Cancel => {
            let reason = format!("cancelled by {}", by.who);
            let change = change(
                txn,
                issue,
                &[MailingState::Sending, MailingState::Paused],
                MailingState::Cancelling,
                &reason,
            )
            .await?;
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

/// Resumes with the remaining recipients, and gives deferred ones as much time as a new issue. If a backup was made
/// before the audience was frozen, the audience is frozen first.
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

/// Deletes the batches of an audience that was not completely frozen: its size is unknown, so nobody is written off.
async fn forget_unprepared(txn: &WriteTxn, issue: IssueId) -> Result<(), DbErr> {
    for table in ["mail_batch", "mailing_only"] {
        let sql = format!(
            "DELETE FROM {table} WHERE issue_id = $1 AND (SELECT audience FROM mailing WHERE issue_id = $1) = 0"
        );
        db::run(&**txn, sql, [issue.0.into()]).await?;
    }
    Ok(())
}

/// Pauses an issue on the mailer's own initiative. Editors and the log get the reason, so `why` must not quote a
/// server.
pub async fn pause(app: &App, issue: IssueId, why: &str) -> Result<Change, DbErr> {
    let txn = app.db.write_txn("mailing_pause").await?;
    let change = change(
        &txn,
        issue,
        &[MailingState::Sending],
        MailingState::Paused,
        why,
    )
    .await?;
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

/// Whether mails of the issue may be sent now, as far as this node's reader of the database can tell.
pub(super) async fn is_sending(app: &App, issue: IssueId) -> Result<bool, DbErr> {
    let sql = "SELECT 1 FROM mailing WHERE issue_id = $1 AND state = $2";
    let values = [issue.0.into(), MailingState::Sending.code().into()];
    Ok(db::fetch_one(app.db.read(), sql, values).await?.is_some())
}

/// Pauses every issue that is being sent or prepared: a restored or copied database may not know what was sent
/// meanwhile. Returns the number of issues. An issue whose audience was not frozen yet has an audience of 0, which is
/// how `resume` recognises it.
pub async fn pause_all(txn: &WriteTxn, why: &str, now: UnixMillis) -> Result<usize, DbErr> {
    let sql =
        "UPDATE mailing SET state = $2, reason = $1 WHERE state IN ($3, $4) RETURNING issue_id";
    let [paused, preparing, sending] = [
        MailingState::Paused,
        MailingState::Preparing,
        MailingState::Sending,
    ]
    .map(|state| state.code().into());
    let values = [why.into(), paused, preparing, sending];
    let issues: Vec<IssueId> = db::find_values(&**txn, sql, values).await?;
    let by = By::nobody(now);
    for issue in &issues {
        orders::record(txn, *issue, OrderKind::PausedItself, &by, 0, why).await?;
    }
    Ok(issues.len())
}

async fn change(
    txn: &WriteTxn,
    issue: IssueId,
    from: &[MailingState],
    to: MailingState,
    reason: &str,
) -> Result<Change, DbErr> {
    let list = db::in_list(from.len(), 3);
    let values: [Value; 3] = [issue.0.into(), to.code().into(), reason.into()];
    let from = from.iter().map(|state| Value::from(state.code()));
    let changed = db::run(
        &**txn,
        format!(
            "UPDATE mailing SET state = $2, reason = $3 WHERE issue_id = $1 AND state IN {list}"
        ),
        values.into_iter().chain(from),
    )
    .await?;
    if changed.rows_affected() == 0 {
        refused(txn, issue).await
    } else {
        Ok(Change::Done)
    }
}

async fn refused(txn: &WriteTxn, issue: IssueId) -> Result<Change, DbErr> {
    let sql = "SELECT state FROM mailing WHERE issue_id = $1";
    let state = db::find_value(&**txn, sql, [issue.0.into()]).await?;
    Ok(state.map_or(Change::Unknown, |code| {
        Change::NotNow(MailingState::of(code))
    }))
}

/// Finishes mailings whose batches are all done. Usually the commit of the last batch has done so already.
pub(super) async fn finish_done(app: &App) -> Result<(), DbErr> {
    let done: Vec<IssueId> = db::find_values(
        app.db.read(),
        "SELECT issue_id FROM mailing m WHERE state = $1 AND NOT EXISTS
           (SELECT 1 FROM mail_batch b WHERE b.issue_id = m.issue_id AND b.state < $2)",
        [
            MailingState::Sending.code().into(),
            BatchState::Done.code().into(),
        ],
    )
    .await?;
    if done.is_empty() {
        return Ok(());
    }
    let txn = app.db.write_txn("mailing_finish").await?;
    for issue in done {
        // An editor may be ordering a part of it again: lock the row first, so that the query sees the new batches.
        lock(app, &txn, issue).await?;
        finish(&txn, issue, app.clock.now()).await?;
    }
    txn.commit().await
}

/// Finishes a mailing if none of its recipients waits. The caller holds the lock on the mailing's row.
pub(super) async fn finish(txn: &WriteTxn, issue: IssueId, now: UnixMillis) -> Result<(), DbErr> {
    let finished = db::run(
        &**txn,
        "UPDATE mailing SET state = $2, finished_ms = $3, reason = '' WHERE issue_id = $1 AND state = $4
         AND NOT EXISTS (SELECT 1 FROM mail_batch WHERE issue_id = $1 AND state < $5)",
        [
            issue.0.into(),
            MailingState::Finished.code().into(),
            now.0.into(),
            MailingState::Sending.code().into(),
            BatchState::Done.code().into(),
        ],
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
