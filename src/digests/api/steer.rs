//! Pause, resume, cancel.

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::super::model::IssueState;
use super::super::send;
use super::find;
use super::status::Status;
use crate::api::{Begun, Caller, Write};
use crate::app::App;
use crate::mailer::mailing::{self, Change, MailingState};
use crate::web::Problem;

#[utoipa::path(post, path = "/api/v1/issues/{id}/pause", tag = "issues", params(("id" = i64, Path)), security(("bearer" = [])),
    responses((status = 200, body = Status), (status = 404), (status = 409)))]
pub(super) async fn pause(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    steer(&app, caller, &headers, &id, Order::Pause).await
}

#[utoipa::path(post, path = "/api/v1/issues/{id}/resume", tag = "issues", params(("id" = i64, Path)), security(("bearer" = [])),
    responses((status = 200, body = Status), (status = 404), (status = 409)))]
pub(super) async fn resume(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    steer(&app, caller, &headers, &id, Order::Resume).await
}

#[utoipa::path(post, path = "/api/v1/issues/{id}/cancel", tag = "issues", params(("id" = i64, Path)), security(("bearer" = [])),
    responses((status = 200, body = Status), (status = 404), (status = 409)))]
pub(super) async fn cancel(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    steer(&app, caller, &headers, &id, Order::Cancel).await
}

/// What the page of an issue says that a script paused.
const PAUSED: &str = "paused through the API";

#[derive(Clone, Copy)]
enum Order {
    Pause,
    Resume,
    Cancel,
}

async fn steer(
    app: &App,
    caller: Caller,
    headers: &HeaderMap,
    id: &str,
    order: Order,
) -> Result<Response, Problem> {
    let issue = find(app, id).await?;
    let name = match order {
        Order::Pause => "issue_pause",
        Order::Resume => "issue_resume",
        Order::Cancel => "issue_cancel",
    };
    let write = match Write::begin(app, caller, headers, name, &issue.id).await? {
        Begun::Fresh(write) => write,
        Begun::Repeated(answer) => return Ok(answer),
    };
    // The change has a transaction of its own: the key is looked up before it, and taken after it.
    drop(write);
    // What waits for its time has left nobody behind: cancelling it is taking it back.
    let (change, wanted) = match order {
        Order::Cancel if !matches!(issue.state, IssueState::Handed(_)) => {
            let back = send::unschedule(app, issue.id).await?;
            (
                if back { Change::Done } else { Change::Unknown },
                MailingState::Cancelled,
            )
        }
        Order::Pause => (
            mailing::pause(app, issue.id, PAUSED).await?,
            MailingState::Paused,
        ),
        Order::Resume => (mailing::resume(app, issue.id).await?, MailingState::Sending),
        Order::Cancel => (
            mailing::cancel(app, issue.id).await?,
            MailingState::Cancelling,
        ),
    };
    let done = match change {
        Change::Done => true,
        // A script that asks twice without a key wanted it once.
        Change::NotNow(state) => state == wanted,
        Change::Unknown => false,
    };
    if !done {
        return Err(Problem::conflict(
            "The issue is not in a state in which this can be done.",
        ));
    }
    let issue = find(app, id).await?;
    let answer = Status::of(&issue).with(mailing::progress(app, issue.id).await?);
    match Write::begin(app, caller, headers, name, &issue.id).await? {
        Begun::Fresh(write) => write.finish(StatusCode::OK, &answer).await,
        Begun::Repeated(answer) => Ok(answer),
    }
}
