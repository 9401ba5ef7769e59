//! The tick that fires what is due.
//!
//! The background loop and the tests call the same [`tick`]. A due issue is handed over exactly
//! once: [`send_in`](super::send::send_in) claims it at the revision that was read, so of two nodes, or of
//! a tick that runs into the next, one wins. What cannot go out is held, never retried in silence.

use std::time::Duration;

use super::model::{Issue, IssueState, Slot};
use super::prepare::{BROKEN, PrepareError};
use super::send::{self, Sent};
use super::store;
use crate::app::App;
use crate::db::DbErr;
use crate::scheduler::lateness::{self, Due};
use crate::types::UnixMillis;

/// How many due issues one look at the table takes up.
const AT_ONCE: u64 = 20;

/// Hands over every scheduled issue whose time has come, and holds those that came too late or
/// cannot be sent. Returns how many were handed over.
///
/// # Errors
/// What the database said; issues already done stay done, the others are due at the next tick.
pub async fn tick(app: &App) -> Result<usize, DbErr> {
    let now = app.clock.now();
    let mut handed = 0;
    for issue in store::due(app.db.read(), now, AT_ONCE).await? {
        let IssueState::Scheduled(slot) = &issue.state else {
            continue;
        };
        match fire(app, &issue, slot, now).await {
            Ok(fired) => handed += usize::from(fired),
            // One issue's trouble is not another's: the rest goes on, this one is due again.
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
        // Another node, another tick or an editor was first; where only the name is taken, the next tick finds another.
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
            "a due issue is held for a person to decide on"
        );
    }
    Ok(false)
}

#[cfg(test)]
mod tests;
