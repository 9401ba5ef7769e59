//! Issues for scripts: create, send, schedule, pause, resume, cancel, send again, settle, monitor.
//!
//! `status`: what scripts are told of an issue. `steer`: what they may do while it is being sent.

mod status;
mod steer;

use std::time::Duration;

use axum::Router;
use axum::extract::{FromRequest, Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::{OpenApi, ToSchema};

use super::content::advice::Advice;
use super::model::{Issue, IssueState, Slot};
use super::prepare::{PrepareError, prepare};
use super::send::{self, Ready, Sent};
use super::state::State as Standing;
use super::{segment, store, write};
use crate::api::refusals::{IdempotencyKey, NotFound, Refusals, WriteRefusals};
use crate::api::{Begun, Caller, Json, Write};
use crate::app::App;
use crate::mailer::mailing::{self, MailingState};
use crate::newsletters;
use crate::polls;
use crate::scheduler::{WallTime, Zone, written};
use crate::types::{IssueId, UnixMillis};
use crate::web::{Problem, forms};
use status::Status;

/// This feature's part of the OpenAPI document.
#[derive(OpenApi)]
#[openapi(paths(
    create,
    show,
    send_now,
    schedule,
    steer::pause,
    steer::resume,
    steer::cancel,
    steer::resend,
    steer::settle
))]
pub struct Document;

/// The routes below `/api/v1`.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/issues", post(create))
        .route("/issues/{id}", get(show))
        .route("/issues/{id}/send", post(send_now))
        .route("/issues/{id}/schedule", post(schedule))
        .route("/issues/{id}/pause", post(steer::pause))
        .route("/issues/{id}/resume", post(steer::resume))
        .route("/issues/{id}/cancel", post(steer::cancel))
        .route("/issues/{id}/resend", post(steer::resend))
        .route("/issues/{id}/settle", post(steer::settle))
}

/// An issue to create.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewIssue {
    /// The newsletter's slug.
    newsletter: String,
    /// One line of at most 200 characters.
    subject: String,
    /// Markdown, at most 200 kB.
    body: String,
    /// The line that inboxes show beside the subject. Default: the first words of the body.
    #[serde(default)]
    preheader: String,
    /// Limits the issue to readers who agreed to get mail based on their answers.
    #[serde(default)]
    segment: Option<NewSegment>,
}

/// Readers of the newsletter who chose one of these options of a linked poll and agreed. There must be at least ten, both now and when the issue is sent.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewSegment {
    /// The slug of a linked poll.
    poll: String,
    /// Keys of its options.
    options: Vec<i64>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Created {
    id: i64,
}

/// How to send.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SendOrder {
    /// Seconds during which sending can still be undone, at most 3600. Default: 0, which starts at once.
    #[serde(default)]
    #[schema(maximum = 3_600)]
    undo_seconds: u32,
}

/// The longest undo delay a script can ask for, in seconds. For a later time it schedules the issue.
const UNDO_MAX: u32 = 3_600;

/// When to send.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ScheduleOrder {
    /// A local time (`2026-11-23T07:00`) or an instant (`2026-11-23T06:00:00Z`).
    at: String,
    /// The IANA time zone of a local time. Default: the newsletter's.
    time_zone: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct Scheduled {
    state: Standing,
    /// The instant in UTC.
    at: String,
    /// The same time as editors see it.
    local: String,
}

#[utoipa::path(post, path = "/api/v1/issues", tag = "issues", request_body = NewIssue, security(("bearer" = [])),
    params(IdempotencyKey), responses((status = 201, body = Created), Refusals, WriteRefusals))]
async fn create(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Json(order): Json<NewIssue>,
) -> Result<Response, Problem> {
    let content = write::checked(&order.subject, &order.preheader, &order.body)
        .await?
        .map_err(|bad| Problem::invalid(bad.field(), bad.to_string()))?;
    let newsletter = newsletters::by_slug(app.db.read(), &order.newsletter).await?;
    let newsletter =
        newsletter.ok_or_else(|| Problem::invalid("newsletter", "No newsletter has this slug."))?;
    let segment = match &order.segment {
        Some(of) => Some(polls::named_segment(&app, &of.poll, &of.options).await?),
        None => None,
    };
    let write = match Write::begin(&app, caller, &headers, "issue_create", &order).await? {
        Begun::Fresh(write) => write,
        Begun::Repeated(answer) => return Ok(answer),
    };
    let id = write::create_in(&write.txn, &app, newsletter.id, &content, None).await?;
    if let Some(segment) = &segment {
        store::narrow(&write.txn, id, segment).await?;
    }
    write
        .finish(StatusCode::CREATED, &Created { id: id.0 })
        .await
}

#[utoipa::path(get, path = "/api/v1/issues/{id}", tag = "issues", params(("id" = i64, Path)), security(("bearer" = [])),
    responses((status = 200, body = Status), Refusals, NotFound))]
async fn show(
    State(app): State<App>,
    _: Caller,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let issue = find(&app, &id).await?;
    let status = Status::of(&issue).whom(segment::whom(&app, &issue).await?);
    let status = match issue.state {
        IssueState::Handed(_) => {
            let progress = mailing::progress(&app, issue.id).await?;
            let freezing = matches!(&progress, Some(p) if p.state == MailingState::Preparing);
            let status = status.with(progress);
            if freezing {
                status.freezing(mailing::to_be_frozen(&app, issue.id).await?)
            } else {
                status
            }
        }
        _ => {
            let prepared = prepare(&app, &issue, app.clock.now()).await;
            status.sized(prepared.map_err(cannot_prepare)?.compiled.size)
        }
    };
    Ok(axum::Json(status).into_response())
}

#[utoipa::path(post, path = "/api/v1/issues/{id}/send", tag = "issues", params(("id" = i64, Path),
    IdempotencyKey),
    request_body(content = Option<SendOrder>), security(("bearer" = [])),
    responses((status = 202, body = Status), (status = 409, description = "It was already sent, or there is nobody to send it to"),
        Refusals, WriteRefusals, NotFound,
        (status = 422, description = "The issue cannot be sent as it is (`canvass:cannot-be-sent`), or the request is invalid")))]
async fn send_now(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
    Optional(order): Optional<SendOrder>,
) -> Result<Response, Problem> {
    let issue = find(&app, &id).await?;
    if order.undo_seconds > UNDO_MAX {
        return Err(Problem::invalid(
            "undo_seconds",
            format!(
                "At most {UNDO_MAX} are possible; to send later than that, schedule the issue."
            ),
        ));
    }
    for _ in 0..send::NAMES_TRIED {
        if let Some(answer) = try_to_send(&app, caller, &headers, &issue, &order).await? {
            return Ok(answer);
        }
    }
    Err(Problem::conflict(send::NAME_TAKEN))
}

/// `None` if another issue took its name meanwhile; nothing was done then.
async fn try_to_send(
    app: &App,
    caller: Caller,
    headers: &HeaderMap,
    issue: &Issue,
    order: &SendOrder,
) -> Result<Option<Response>, Problem> {
    let now = app.clock.now();
    let ready = ready_to_leave(app, issue, now).await?;
    let write = match Write::begin(app, caller, headers, "issue_send", &(issue.id, order)).await? {
        Begun::Fresh(write) => write,
        Begun::Repeated(answer) => return Ok(Some(answer)),
    };
    let ready = ready.ok_or_else(on_its_way)?;
    let delay = Duration::from_secs(u64::from(order.undo_seconds));
    let answer = Status::of(issue);
    let answer = match send::send_in(&write.txn, app, issue, &ready, delay, now).await? {
        Sent::NameTaken => return Ok(None),
        Sent::Handed { audience } => answer.now(Standing::Sending).freezing(audience),
        sent => {
            done(sent)?;
            answer.now(Standing::Scheduled)
        }
    };
    let answer = write.finish(StatusCode::ACCEPTED, &answer).await?;
    Ok(Some(answer))
}

/// The error for a script whose issue was not sent or scheduled.
fn done(sent: Sent) -> Result<(), Problem> {
    Err(match sent {
        Sent::Handed { .. } | Sent::Scheduled(_) => return Ok(()),
        Sent::Blocked(advice) => cannot_be_sent(&advice),
        Sent::NoAudience => {
            Problem::conflict("Nobody has confirmed a subscription to this newsletter yet.")
        }
        Sent::NotNow(why) => Problem::conflict(why),
        Sent::InThePast => Problem::invalid("at", "That time has passed."),
        Sent::Changed => on_its_way(),
        Sent::NameTaken => Problem::conflict(send::NAME_TAKEN),
    })
}

#[utoipa::path(post, path = "/api/v1/issues/{id}/schedule", tag = "issues", params(("id" = i64, Path),
    IdempotencyKey),
    request_body = ScheduleOrder, security(("bearer" = [])),
    responses((status = 200, body = Scheduled), (status = 409, description = "It was changed meanwhile, or is already scheduled or being sent"),
        Refusals, WriteRefusals, NotFound,
        (status = 422, description = "The issue cannot be sent as it is (`canvass:cannot-be-sent`), or the time is invalid")))]
async fn schedule(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Path(id): Path<String>,
    Json(order): Json<ScheduleOrder>,
) -> Result<Response, Problem> {
    let issue = find(&app, &id).await?;
    let newsletter = newsletters::by_id(app.db.read(), issue.newsletter)
        .await?
        .ok_or_else(Problem::not_found)?;
    let (slot, zone) = slot_of(&order, &newsletter.time_zone)?;
    let now = app.clock.now();
    let ready = ready_to_leave(&app, &issue, slot.at).await?;
    let write = match Write::begin(
        &app,
        caller,
        &headers,
        "issue_schedule",
        &(issue.id, &order),
    )
    .await?
    {
        Begun::Fresh(write) => write,
        Begun::Repeated(answer) => return Ok(answer),
    };
    ready.ok_or_else(on_its_way)?;
    done(send::schedule_in(&write.txn, &issue, &slot, now).await?)?;
    let at = slot.at.timestamp();
    let answer = Scheduled {
        state: Standing::Scheduled,
        at: written::machine(at),
        local: written::full(at, &zone),
    };
    write.finish(StatusCode::OK, &answer).await
}

async fn find(app: &App, id: &str) -> Result<Issue, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found())?;
    store::find(app.db.read(), IssueId(id))
        .await?
        .ok_or_else(Problem::not_found)
}

/// Makes the mail of a draft or held issue, and refuses what may not be sent. `None` if it has left already.
async fn ready_to_leave(
    app: &App,
    issue: &Issue,
    at: UnixMillis,
) -> Result<Option<Ready>, Problem> {
    if !matches!(issue.state, IssueState::Draft | IssueState::Held { .. }) {
        return Ok(None);
    }
    let ready = send::ready(app, issue, at).await.map_err(cannot_prepare)?;
    ready
        .map(Some)
        .map_err(|blocking| cannot_be_sent(&blocking))
}

fn cannot_be_sent(blocking: &[Advice]) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "cannot-be-sent",
        "This issue cannot be sent as it is",
        blocking.first().map_or("", |advice| advice.text.as_str()),
    )
}

fn cannot_prepare(error: PrepareError) -> Problem {
    match error {
        PrepareError::Db(error) => error.into(),
        error => Problem::internal(&error),
    }
}

fn on_its_way() -> Problem {
    Problem::conflict("This issue was changed meanwhile, or is already scheduled or being sent.")
}

/// The slot that an order describes: an instant as it is, a wall time in its zone.
fn slot_of(order: &ScheduleOrder, zone: &str) -> Result<(Slot, Zone), Problem> {
    let zone = Zone::parse(order.time_zone.as_deref().unwrap_or(zone))
        .map_err(|bad| Problem::invalid("time_zone", bad.to_string()))?;
    if let Ok(instant) = order.at.parse::<jiff::Timestamp>() {
        let wall = WallTime::at(instant, &zone).to_string();
        let slot = Slot {
            at: instant.into(),
            local: Some((wall, zone.clone())),
        };
        return Ok((slot, zone));
    }
    let bad = |_| {
        Problem::invalid(
            "at",
            "Give a local time such as 2026-11-23T07:00, or an instant such as 2026-11-23T06:00:00Z.",
        )
    };
    let wall = WallTime::parse(&order.at).map_err(bad)?;
    let resolved = wall.resolve(&zone).map_err(bad)?;
    let slot = Slot {
        at: resolved.at.into(),
        local: Some((wall.to_string(), zone.clone())),
    };
    Ok((slot, zone))
}

/// An optional JSON body.
struct Optional<T>(T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for Optional<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let typed = Request::from_parts(parts.clone(), axum::body::Body::empty());
        let bytes = forms::bounded_bytes(Request::from_parts(parts, body), state).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        let (parts, _) = typed.into_parts();
        let Json(value) =
            Json::from_request(Request::from_parts(parts, bytes.into()), state).await?;
        Ok(Self(value))
    }
}
