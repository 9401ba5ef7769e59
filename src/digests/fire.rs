//! The tick that hands over due issues.
//!
//! The background loop and the tests call the same [`tick`]. A due issue is handed over exactly once:
//! [`send_in`](super::send::send_in) claims it at the revision that was read, so if two nodes or two ticks try at
//! the same time, one wins. An issue that cannot go out is held, never retried silently.

use std::time::Duration;

use super::model::{Issue, IssueState, Slot};
use super::prepare::{BROKEN, PrepareError};
use super::send::{self, Sent};
use super::store;
use crate::app::App;
use crate::db::{DbErr, Sparing};
use crate::scheduler::lateness::{self, Due};
use crate::types::UnixMillis;

/// How many due issues are read at a time.
const AT_ONCE: u64 = 20;

/// Hands over every scheduled issue that is due, and holds those that are too late or cannot be sent. Returns how
/// many were handed over.
///
/// # Errors
/// The error of the database. Issues already handed over stay so; the others are due at the next tick.
pub async fn tick(app: &App) -> Result<usize, DbErr> {
    static TOLD: Sparing = Sparing::new();
    let now = app.clock.now();
    let mut handed = 0;
    for issue in store::due(app.db.read(), now, AT_ONCE).await? {
        let IssueState::Scheduled(slot) = &issue.state else {
            continue;
        };
        match fire(app, &issue, slot, now).await {
            Ok(fired) => handed += usize::from(fired),
            Err(error) if !TOLD.lets(&error) => {}
            // A failure concerns only its own issue: the tick goes on with the rest, and this one is due again.
            Err(error) => {
                tracing::error!(issue = issue.id.0, %error, "a due issue could not be handed over")
            }
        }
    }
    Ok(handed)
}

async fn fire(app: &App, issue: &Issue, slot: &Slot, now: UnixMillis) -> Result<bool, DbErr> {
    if lateness::judge(slot.at.timestamp(), now.timestamp(), lateness::LATEST) == Due::TooLate {
        let reason =
            "Canvass was not running when it was due, and came back more than 24 hours later.";
        return hold(app, issue, reason, now).await;
    }
    let ready = match send::ready(app, issue, now).await {
        Ok(Ok(ready)) => ready,
        Ok(Err(blocking)) => {
            let reason = blocking.first().map_or("", |advice| advice.text.as_str());
            return hold(app, issue, reason, now).await;
        }
        Err(PrepareError::Db(error)) => return Err(error),
        Err(error) => {
            tracing::error!(issue = issue.id.0, %error, "a due issue could not be compiled");
            return hold(app, issue, BROKEN, now).await;
        }
    };
    let txn = app.db.write_txn("issue_fire").await?;
    match send::send_in(&txn, app, issue, &ready, Duration::ZERO, now).await? {
        Sent::Handed { audience } => {
            txn.commit().await?;
            tracing::info!(
                issue = issue.id.0,
                audience,
                "an issue was handed to the mailer"
            );
            Ok(true)
        }
        Sent::NoAudience => {
            drop(txn);
            hold(
                app,
                issue,
                "Nobody had confirmed a subscription when it was due.",
                now,
            )
            .await
        }
        Sent::NotNow(why) => {
            drop(txn);
            hold(app, issue, &why, now).await
        }
        // Another node, another tick or an editor was first. If only the name was taken, the next tick finds
        // another one.
        _ => Ok(false),
    }
}

async fn hold(app: &App, issue: &Issue, reason: &str, now: UnixMillis) -> Result<bool, DbErr> {
    let txn = app.db.write_txn("issue_hold").await?;
    if store::hold(&txn, issue.id, issue.revision, reason, now).await? {
        txn.commit().await?;
        tracing::warn!(
            issue = issue.id.0,
            reason,
            "a due issue is held until somebody decides"
        );
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
