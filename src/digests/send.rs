//! Hands an issue to the mailer, now or at its time.
//!
//! Sending takes two steps. [`ready`] makes the mail, before any transaction and however long it takes. [`send_in`]
//! and [`schedule_in`] decide inside the caller's transaction. The callers are an editor's page ([`send`],
//! [`schedule`]), a script's request with its Idempotency-Key (`api`), and the tick (`fire`). The outcome is a
//! value, [`Sent`], which each of the three puts into words.
//!
//! [`send_in`] is the only place where an issue is handed over: in one transaction it claims the issue, freezes its
//! text and its readers, and creates the mailing. If the claim is lost, nothing has changed.

use std::time::Duration;

use super::audience::{self, Audience};
use super::content::advice::{self, Advice, Weight};
use super::model::{Issue, IssueState, Slot};
use super::prepare::{PrepareError, Prepared, prepare};
use super::store;
use crate::app::App;
use crate::db::{Db, DbErr, WriteTxn, is_unique_violation};
use crate::mailer::mailing::{self, Handover};
use crate::types::{IssueId, UnixMillis};

/// The outcome of sending or scheduling an issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It will go out at this time: after the undo delay, or at the scheduled time.
    Scheduled(UnixMillis),
    /// It was handed to the mailer.
    Handed {
        /// The number of readers when it was frozen.
        audience: i64,
    },
    /// It may not be sent in this state.
    Blocked(Vec<Advice>),
    /// Nobody would get it.
    NoAudience,
    /// A mail to a sample or a segment that cannot be sent now, and why.
    NotNow(String),
    /// The requested time has passed.
    InThePast,
    /// It was changed since it was read, or was already handed over.
    Changed,
    /// Another issue took its name each time it was prepared. Nothing else is wrong with it.
    NameTaken,
}

/// The message for [`Sent::NameTaken`].
pub(super) const NAME_TAKEN: &str = "Other issues took its name in links at the same moment. Nothing was sent, and nothing is lost; send it again.";

/// How often an issue is prepared again because another one took its name.
pub(super) const NAMES_TRIED: usize = 8;

/// An issue whose mail is made, whose name is free, and that nothing keeps from being sent. Only [`ready`] creates
/// one.
#[derive(Clone, Debug)]
pub struct Ready(Prepared);

/// Makes the mail of an issue that is to go out at `at`.
///
/// # Errors
/// See [`PrepareError`]. The inner error is the advice that blocks it, the most serious first.
pub async fn ready(
    app: &App,
    issue: &Issue,
    at: UnixMillis,
) -> Result<Result<Ready, Vec<Advice>>, PrepareError> {
    let prepared = prepare_named(app, issue, at).await?;
    if advice::may_send(&prepared.compiled.advice) {
        return Ok(Ok(Ready(prepared)));
    }
    let mut blocking = prepared.compiled.advice;
    blocking.retain(|advice| advice.weight == Weight::Blocks);
    Ok(Err(blocking))
}

/// Sends a draft, held or due issue after `delay`, inside `txn`, which the caller commits; without a delay it is
/// handed over at once. Unless the outcome is [`Sent::Scheduled`] or [`Sent::Handed`], nothing was done. After
/// [`Sent::NameTaken`] the transaction is unusable; call [`ready`] again and retry, up to [`NAMES_TRIED`] times.
pub async fn send_in(
    txn: &WriteTxn,
    app: &App,
    issue: &Issue,
    ready: &Ready,
    delay: Duration,
    now: UnixMillis,
) -> Result<Sent, DbErr> {
    if delay.is_zero() {
        return freeze(txn, app, issue, &ready.0, now).await;
    }
    let slot = Slot {
        at: now + delay,
        local: None,
    };
    schedule_in(txn, issue, &slot, now).await
}

/// Schedules a draft or held issue inside `txn`, which the caller commits. Unless the outcome is
/// [`Sent::Scheduled`], nothing was done.
pub async fn schedule_in(
    txn: &WriteTxn,
    issue: &Issue,
    slot: &Slot,
    now: UnixMillis,
) -> Result<Sent, DbErr> {
    if slot.at < now {
        return Ok(Sent::InThePast);
    }
    let scheduled = store::schedule(txn, issue.id, issue.revision, slot, now).await?;
    Ok(if scheduled {
        Sent::Scheduled(slot.at)
    } else {
        Sent::Changed
    })
}

/// [`send_in`] in a transaction of its own.
///
/// # Errors
/// See [`PrepareError`].
pub async fn send(app: &App, issue: &Issue, delay: Duration) -> Result<Sent, PrepareError> {
    let now = app.clock.now();
    for _ in 0..NAMES_TRIED {
        let ready = match ready(app, issue, now + delay).await? {
            Ok(ready) => ready,
            Err(blocking) => return Ok(Sent::Blocked(blocking)),
        };
        let txn = app.db.write_txn("issue_send").await?;
        let sent = send_in(&txn, app, issue, &ready, delay, now).await?;
        if sent == Sent::NameTaken {
            continue;
        }
        txn.commit().await?;
        return Ok(sent);
    }
    Ok(Sent::NameTaken)
}

/// [`schedule_in`] in a transaction of its own.
///
/// # Errors
/// See [`PrepareError`].
pub async fn schedule(app: &App, issue: &Issue, slot: &Slot) -> Result<Sent, PrepareError> {
    let now = app.clock.now();
    if slot.at < now {
        return Ok(Sent::InThePast);
    }
    if let Err(blocking) = ready(app, issue, slot.at).await? {
        return Ok(Sent::Blocked(blocking));
    }
    let txn = app.db.write_txn("issue_schedule").await?;
    let sent = schedule_in(&txn, issue, slot, now).await?;
    txn.commit().await?;
    Ok(sent)
}

/// Returns a scheduled or held issue to the drafts; false if it was already handed over.
pub async fn unschedule(app: &App, id: IssueId) -> Result<bool, DbErr> {
    let txn = app.db.write_txn("issue_unschedule").await?;
    let back = store::unschedule(&txn, id, app.clock.now()).await?;
    txn.commit().await?;
    Ok(back)
}

/// Claims the issue at the revision that was read, freezes text and readers, and creates the mailing.
async fn freeze(
    txn: &WriteTxn,
    app: &App,
    issue: &Issue,
    prepared: &Prepared,
    now: UnixMillis,
) -> Result<Sent, DbErr> {
    let Audience {
        readers: audience,
        only,
        not_now,
        ..
    } = audience::frozen(app, issue, &prepared.polls, txn).await?;
    if let Some(why) = not_now {
        return Ok(Sent::NotNow(why));
    }
    if audience == 0 {
        return Ok(Sent::NoAudience);
    }
    match store::hand_over(txn, issue.id, issue.revision, &prepared.slug, now).await {
        Ok(true) => {}
        Ok(false) => return Ok(Sent::Changed),
        Err(error) if is_unique_violation(&error) => return Ok(Sent::NameTaken),
        Err(error) => return Err(error),
    }
    mailing::hand_over(
        txn,
        &Handover {
            issue: issue.id,
            newsletter: issue.newsletter,
            only: only.as_deref(),
            edition: &prepared.compiled.edition,
            // The undo delay was already part of the schedule.
            not_before: now,
            expires: now + app.config.mail.retries(),
            now,
        },
    )
    .await?;
    Ok(Sent::Handed { audience })
}

/// Prepares an issue under a name that no other issue of its newsletter has.
async fn prepare_named(
    app: &App,
    issue: &Issue,
    now: UnixMillis,
) -> Result<Prepared, PrepareError> {
    let prepared = prepare(app, issue, now).await?;
    if !taken(&app.db, issue, &prepared.slug).await? {
        return Ok(prepared);
    }
    for n in 2.. {
        let slug = format!("{}-{n}", prepared.slug);
        if !taken(&app.db, issue, &slug).await? {
            let renamed = Issue {
                slug,
                state: IssueState::Handed(now),
                ..issue.clone()
            };
            return prepare(app, &renamed, now).await;
        }
    }
    Ok(prepared)
}

async fn taken(db: &Db, issue: &Issue, slug: &str) -> Result<bool, DbErr> {
    store::slug_taken(db.read(), issue.newsletter, slug).await
}
