//! Handing an issue to the mailer, now or at its time.
//!
//! [`freeze`] is the one place where an issue leaves the editors: in one transaction it claims the
//! issue, freezes its text and its readers, and creates the mailing. Whoever loses the claim has
//! changed nothing.

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

/// What came of "send this" or "send this then".
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It will go out at that time: after the undo delay, or when it was scheduled for.
    Scheduled(UnixMillis),
    /// It is with the mailer, for so many readers.
    Handed {
        /// Its readers at the cut-off.
        audience: i64,
    },
    /// It may not be sent like this.
    Blocked(Vec<Advice>),
    /// Nobody would get it.
    NoAudience,
    /// A mail to a sample or a segment that cannot leave now, and why.
    NotNow(String),
    /// That time has passed.
    InThePast,
    /// It was changed since it was read, or is on its way already.
    Changed,
    /// Another issue took its name since it was prepared, as often as it was prepared again. Nothing else is wrong with it.
    NameTaken,
}

/// What is said of [`Sent::NameTaken`].
pub(super) const NAME_TAKEN: &str = "Other issues took its name in links at this very moment. Nothing was done, and nothing is lost; send it once more.";

/// How often an issue is prepared again because another one took its name.
pub(super) const NAMES_TRIED: usize = 8;

/// Sends a draft or held issue after `delay`; with no delay it is handed over here and now.
///
/// # Errors
/// See [`PrepareError`].
pub async fn send(app: &App, issue: &Issue, delay: Duration) -> Result<Sent, PrepareError> {
    let now = app.clock.now();
    if !delay.is_zero() {
        let slot = Slot {
            at: now + delay,
            local: None,
        };
        return schedule(app, issue, slot).await;
    }
    for _ in 0..NAMES_TRIED {
        let prepared = prepare_named(app, issue, now).await?;
        if !advice::may_send(&prepared.compiled.advice) {
            return Ok(Sent::Blocked(blocking(prepared.compiled.advice)));
        }
        let txn = app.db.write_txn("issue_send").await?;
        let sent = freeze(&txn, app, issue, &prepared, now).await?;
        if sent == Sent::NameTaken {
            continue;
        }
        txn.commit().await?;
        return Ok(sent);
    }
    Ok(Sent::NameTaken)
}

/// Gives a draft or held issue its time.
///
/// # Errors
/// See [`PrepareError`].
pub async fn schedule(app: &App, issue: &Issue, slot: Slot) -> Result<Sent, PrepareError> {
    let now = app.clock.now();
    if slot.at < now {
        return Ok(Sent::InThePast);
    }
    let prepared = prepare(app, issue, slot.at).await?;
    if !advice::may_send(&prepared.compiled.advice) {
        return Ok(Sent::Blocked(blocking(prepared.compiled.advice)));
    }
    let txn = app.db.write_txn("issue_schedule").await?;
    let scheduled = store::schedule(&txn, issue.id, issue.revision, &slot, now).await?;
    txn.commit().await?;
    Ok(if scheduled {
        Sent::Scheduled(slot.at)
    } else {
        Sent::Changed
    })
}

/// Takes a scheduled or held issue back to the drafts; false when it has left already.
///
/// # Errors
/// What the database said.
pub async fn unschedule(app: &App, id: IssueId) -> Result<bool, DbErr> {
    let txn = app.db.write_txn("issue_unschedule").await?;
    let back = store::unschedule(&txn, id, app.clock.now()).await?;
    txn.commit().await?;
    Ok(back)
}

/// Claims the issue at the revision it was read, freezes text and readers, creates the mailing:
/// all inside `txn`, which the caller commits. After anything but [`Sent::Handed`] nothing was done; after [`Sent::NameTaken`] the
/// transaction is good for nothing more.
pub(super) async fn freeze(
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
    } = audience::frozen(app, issue, txn).await?;
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
            // The undo delay has passed in the schedule already.
            not_before: now,
            expires: now + app.config.mail.retries(),
            now,
        },
    )
    .await?;
    Ok(Sent::Handed { audience })
}

/// Prepares an issue under a name that no other issue of its newsletter has.
pub(super) async fn prepare_named(
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

fn blocking(advice: Vec<Advice>) -> Vec<Advice> {
    advice
        .into_iter()
        .filter(|advice| advice.weight == Weight::Blocks)
        .collect()
}
