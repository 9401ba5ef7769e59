//! Pause, resume, cancel; send again to failed recipients; settle those in doubt.
//!
//! Each is one transaction with its `Idempotency-Key`: a script that repeats a request gets the first response, and
//! the order is carried out once, even if the process crashed in between.

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::model::{Issue, IssueState};
use super::super::store;
use super::status::Status;
use super::{Optional, find};
use crate::admin::show;
use crate::api::refusals::{IdempotencyKey, NotFound, Refusals, WriteRefusals};
use crate::api::{Begun, Caller, Json, Write, tokens};
use crate::app::App;
use crate::db::DbErr;
use crate::mailer::mailing::{
    self, By, Change, DeliveryState, Ordered, Reason, Steer, Verdict, Which,
};
use crate::types::{EmailAddress, IssueId};
use crate::web::Problem;

#[utoipa::path(post, path = "/api/v1/issues/{id}/pause", tag = "issues", params(("id" = i64, Path),
    IdempotencyKey), security(("bearer" = [])),
    responses((status = 200, body = Status), (status = 409, description = "The issue's present state does not allow this"),
        Refusals, WriteRefusals, NotFound))]
pub(super) async fn pause(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    steer(&app, caller, &headers, &id, Steer::Pause).await
}

#[utoipa::path(post, path = "/api/v1/issues/{id}/resume", tag = "issues", params(("id" = i64, Path),
    IdempotencyKey), security(("bearer" = [])),
    responses((status = 200, body = Status), (status = 409, description = "The issue's present state does not allow this"),
        Refusals, WriteRefusals, NotFound))]
pub(super) async fn resume(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    steer(&app, caller, &headers, &id, Steer::Resume).await
}

#[utoipa::path(post, path = "/api/v1/issues/{id}/cancel", tag = "issues", params(("id" = i64, Path),
    IdempotencyKey), security(("bearer" = [])),
    responses((status = 200, body = Status), (status = 409, description = "The issue's present state does not allow this"),
        Refusals, WriteRefusals, NotFound))]
pub(super) async fn cancel(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    steer(&app, caller, &headers, &id, Steer::Cancel).await
}

async fn steer(
    app: &App,
    caller: Caller,
    headers: &HeaderMap,
    id: &str,
    what: Steer,
) -> Result<Response, Problem> {
    let issue = find(app, id).await?;
    let name = match what {
        Steer::Pause => "issue_pause",
        Steer::Resume => "issue_resume",
        Steer::Cancel => "issue_cancel",
    };
    let by = script(app, caller).await?;
    let write = match Write::begin(app, caller, headers, name, &issue.id).await? {
        Begun::Fresh(write) => write,
        Begun::Repeated(answer) => return Ok(answer),
    };
    let waited = stop_waiting(&write, issue.id, what, &by).await?;
    if !waited {
        match mailing::steer(app, &write.txn, issue.id, what, &by).await? {
            Change::Done => {}
            // A script that sends the same order twice without a key means it once.
            Change::NotNow(state) if what.has_led_to(state) => {}
            Change::NotNow(_) => return Err(not_now()),
            Change::Unknown => not_begun(&write, issue.id, what).await?,
        }
    }
    let answer = status(&write, &issue).await?;
    let answer = write.finish(StatusCode::OK, &answer).await?;
    Ok(answer)
}

/// Stops an issue that is scheduled, so none of its mails has left: cancelling returns it to the drafts, pausing
/// holds it. Returns false if it is not scheduled, or no longer.
async fn stop_waiting(write: &Write, id: IssueId, what: Steer, by: &By) -> Result<bool, DbErr> {
    match what {
        Steer::Cancel => store::unschedule(&write.txn, id, by.now).await,
        Steer::Pause => {
            let reason = format!("It was paused by {} before its first mail.", by.who);
            store::hold_back(&write.txn, id, &reason, by.now).await
        }
        Steer::Resume => Ok(false),
    }
}

/// For an issue that is not with the mailer: succeeds if it is already in the state that the order leads to;
/// otherwise the error says what to do instead.
async fn not_begun(write: &Write, id: IssueId, what: Steer) -> Result<(), Problem> {
    let issue = store::find(&*write.txn, id).await?;
    let issue = issue.ok_or_else(Problem::not_found)?;
    Err(match (&issue.state, what) {
        (IssueState::Held { .. }, Steer::Pause) => return Ok(()),
        (IssueState::Held { .. }, Steer::Resume) => Problem::conflict(
            "This issue is held, and none of its mails has been sent. Send it or schedule it, or cancel to turn it back into a draft.",
        ),
        (IssueState::Draft, _) => {
            Problem::conflict("This issue is a draft: none of its mails is being sent.")
        }
        _ => not_now(),
    })
}

/// Why a recipient failed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Failure {
    /// The receiving side refused this mail.
    Refused,
    /// The relay refused us or the message.
    Ours,
    /// It was deferred until the issue was too old.
    Expired,
    /// The address does not exist. It is suppressed, and therefore skipped again unless an editor has lifted the suppression.
    BadAddress,
    /// Errors of this program affected the recipient: see the log, and update the program first.
    Internal,
}

impl Failure {
    const ALL: [Self; 5] = [
        Self::Refused,
        Self::Ours,
        Self::Expired,
        Self::BadAddress,
        Self::Internal,
    ];
}

impl From<Failure> for Reason {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused => Self::Refused,
            Failure::Ours => Self::Ours,
            Failure::Expired => Self::Expired,
            Failure::BadAddress => Self::BadAddress,
            Failure::Internal => Self::Internal,
        }
    }
}

/// Which of the failed recipients are sent to again.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResendOrder {
    /// Default: all reasons except that the address does not exist.
    #[serde(default = "worth_another_try")]
    reasons: Vec<Failure>,
}

impl Default for ResendOrder {
    fn default() -> Self {
        Self {
            reasons: worth_another_try(),
        }
    }
}

fn worth_another_try() -> Vec<Failure> {
    let mut all = Failure::ALL.to_vec();
    all.retain(|failure| Reason::from(*failure) != Reason::BadAddress);
    all
}

/// What to do about recipients in doubt.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SettleOrder {
    how: How,
    /// Their addresses, at most 500. Default: all recipients in doubt.
    emails: Option<Vec<String>>,
    /// How many recipients it may affect, for example `counts.unknown` of the status. If it would affect another number,
    /// it is refused with 409 and nothing is changed: while an issue is being sent, more may be in doubt by now.
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<i64>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum How {
    /// Send it again, with the same Message-ID.
    Resend,
    /// Count it as sent.
    Accept,
}

/// The status of the issue after a request.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Settled {
    /// How many recipients the request affected.
    recipients: i64,
    #[serde(flatten)]
    status: Status,
}

/// The most addresses in one order.
const EMAILS: usize = 500;

#[utoipa::path(post, path = "/api/v1/issues/{id}/resend", tag = "issues", params(("id" = i64, Path),
    IdempotencyKey),
    request_body(content = Option<ResendOrder>), security(("bearer" = [])),
    responses((status = 202, body = Settled), (status = 409, description = "The issue's present state does not allow this"),
        Refusals, WriteRefusals, NotFound))]
pub(super) async fn resend(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
    Optional(order): Optional<ResendOrder>,
) -> Result<Response, Problem> {
    let issue = find(&app, &id).await?;
    if order.reasons.is_empty() {
        return Err(Problem::invalid("reasons", "Give at least one reason."));
    }
    let reasons: Vec<Reason> = order.reasons.iter().map(|r| Reason::from(*r)).collect();
    let by = script(&app, caller).await?;
    let key = (issue.id, &order);
    let write = match Write::begin(&app, caller, &headers, "issue_resend", &key).await? {
        Begun::Fresh(write) => write,
        Begun::Repeated(answer) => return Ok(answer),
    };
    let ordered = mailing::resend_failed(&app, &write.txn, issue.id, &reasons, &by).await?;
    finish(write, &issue, ordered).await
}

#[utoipa::path(post, path = "/api/v1/issues/{id}/settle", tag = "issues", params(("id" = i64, Path),
    IdempotencyKey),
    request_body = SettleOrder, security(("bearer" = [])),
    responses((status = 202, body = Settled), (status = 409, description = "The issue's present state does not allow this, or another number of recipients than `expected` is in doubt"),
        Refusals, WriteRefusals, NotFound))]
pub(super) async fn settle(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
    Json(order): Json<SettleOrder>,
) -> Result<Response, Problem> {
    let issue = find(&app, &id).await?;
    let verdict = match order.how {
        How::Resend => Verdict::Resend,
        How::Accept => Verdict::Accept,
    };
    let readers = match &order.emails {
        Some(emails) => Some(mailing::readers_named(app.db.read(), &keys(emails)?).await?),
        None => None,
    };
    let by = script(&app, caller).await?;
    let key = (issue.id, &order);
    let write = match Write::begin(&app, caller, &headers, "issue_settle", &key).await? {
        Begun::Fresh(write) => write,
        Begun::Repeated(answer) => return Ok(answer),
    };
    let which = readers.as_deref().map_or(Which::All, Which::These);
    if which == Which::All {
        let n = mailing::tallied(&write.txn, issue.id, DeliveryState::Unknown, &[]).await?;
        as_expected(n, order.expected)?;
    }
    let ordered = mailing::settle_unknown(&app, &write.txn, issue.id, which, verdict, &by).await?;
    if let Ordered::Done(n) = ordered {
        as_expected(n, order.expected)?;
    }
    finish(write, &issue, ordered).await
}

fn as_expected(n: i64, expected: Option<i64>) -> Result<(), Problem> {
    match expected.filter(|expected| *expected != n) {
        None => Ok(()),
        Some(expected) => Err(Problem::conflict(format!(
            "It would affect {}, not {expected}. Nothing was changed.",
            show::counted(n, "recipient", "recipients")
        ))),
    }
}

/// The keys by which the readers with these addresses are found.
fn keys(emails: &[String]) -> Result<Vec<String>, Problem> {
    if emails.is_empty() || emails.len() > EMAILS {
        return Err(Problem::invalid(
            "emails",
            format!("Give 1 to {EMAILS} addresses, or leave the field out for all."),
        ));
    }
    let keys = emails.iter().map(|email| {
        let address = EmailAddress::parse(email)
            .map_err(|_| Problem::invalid("emails", "One of them is not an email address."))?;
        Ok(address.key().to_owned())
    });
    keys.collect()
}

async fn finish(write: Box<Write>, issue: &Issue, ordered: Ordered) -> Result<Response, Problem> {
    let Ordered::Done(recipients) = ordered else {
        return Err(not_now());
    };
    let answer = Settled {
        recipients,
        status: status(&write, issue).await?,
    };
    let answer = write.finish(StatusCode::ACCEPTED, &answer).await?;
    Ok(answer)
}

/// The script as the author of an order, for the record.
async fn script(app: &App, caller: Caller) -> Result<By, Problem> {
    let name = tokens::name(app.db.read(), caller.token).await?;
    Ok(By {
        who: format!("the API token “{name}”"),
        now: app.clock.now(),
    })
}

/// The status of the issue, including the changes of this transaction.
async fn status(write: &Write, issue: &Issue) -> Result<Status, Problem> {
    let issue = store::find(&*write.txn, issue.id)
        .await?
        .ok_or_else(Problem::not_found)?;
    let progress = mailing::progress_in(&*write.txn, issue.id).await?;
    Ok(Status::of(&issue).with(progress))
}

fn not_now() -> Problem {
    Problem::conflict("The issue’s present state does not allow this.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_can_name_every_failure_there_is() {
        let named = Failure::ALL.map(Reason::from);
        assert_eq!(named, Reason::FAILURES);
        let again = worth_another_try().into_iter().map(Reason::from);
        let mut all = Reason::FAILURES.to_vec();
        all.retain(|reason| *reason != Reason::BadAddress);
        assert_eq!(again.collect::<Vec<_>>(), all);
    }
}
