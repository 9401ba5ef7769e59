//! The last page before an issue goes out, and the page of a scheduled issue.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::super::audience::{self, Audience};
use super::super::content::advice::{DEAD_POLL, Weight};
use super::super::model::{Issue, IssueState, Slot};
use super::super::prepare::prepare;
use super::super::segment;
use super::super::send::{self, NAME_TAKEN, Sent};
use super::compose::address;
use super::views;
use crate::admin::{Editor, EditorForm, show};
use crate::app::App;
use crate::scheduler::{Resolution, Resolved, WallTime, Zone, written};
use crate::types::UnixMillis;
use crate::web::Problem;

/// The form values of the last page.
#[derive(Default)]
struct Planned {
    at: String,
    zone: String,
    errors: Map<String, Value>,
    resolved: Option<(Resolved, Zone)>,
    /// Whether the time in the field differs from the one that the button named.
    changed: bool,
}

/// `GET /admin/issues/{id}/send`: who gets it, what, and when.
pub(super) async fn ask(
    State(app): State<App>,
    editor: Editor,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let issue = super::find(&app, &id).await?;
    if !matches!(issue.state, IssueState::Draft | IssueState::Held { .. }) {
        return Ok(Redirect::to(&address(issue.id)).into_response());
    }
    last_page(&app, &editor, &issue, Planned::default()).await
}

/// `POST /admin/issues/{id}/send`: now, after the undo delay.
pub(super) async fn send(
    State(app): State<App>,
    Path(id): Path<String>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    let issue = super::find(&app, &id).await?;
    if form.text("revision")? != issue.revision.to_string() {
        return overtaken(&issue);
    }
    if audience::of(&app, &issue).await?.readers == 0 {
        return last_page(&app, &editor, &issue, Planned::default()).await;
    }
    let delay = Duration::from_secs(app.config.mail.undo_seconds);
    let sent = super::prepared(send::send(&app, &issue, delay).await)?;
    after(&app, &editor, &issue, sent, Planned::default()).await
}

/// `POST /admin/issues/{id}/schedule`: shows what the time means, then takes it.
pub(super) async fn schedule(
    State(app): State<App>,
    Path(id): Path<String>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    let issue = super::find(&app, &id).await?;
    if form.text("revision")? != issue.revision.to_string() {
        return overtaken(&issue);
    }
    let mut planned = Planned {
        at: form.text("at")?.chars().take(40).collect(),
        zone: form.text("zone")?.chars().take(64).collect(),
        ..Planned::default()
    };
    let wall = WallTime::parse(&planned.at)
        .map_err(|bad| planned.errors.insert("at".into(), bad.to_string().into()));
    let zone = Zone::parse(&planned.zone)
        .map_err(|bad| planned.errors.insert("zone".into(), bad.to_string().into()));
    let (Ok(wall), Ok(zone)) = (wall, zone) else {
        return refused(&app, &editor, &issue, planned).await;
    };
    let Ok(resolved) = wall.resolve(&zone) else {
        planned.errors.insert(
            "at".into(),
            "That is beyond the end of the calendar.".into(),
        );
        return refused(&app, &editor, &issue, planned).await;
    };
    let at = UnixMillis::from(resolved.at);
    if at < app.clock.now() {
        planned.errors.insert(
            "at".into(),
            "That time has passed. Choose a later one.".into(),
        );
        return refused(&app, &editor, &issue, planned).await;
    }
    // The first press shows the instant in local time and UTC; the second confirms it. If another time was typed
    // meanwhile, that one is shown again, because the button named the old one.
    let means_it = form.text("then")? == "schedule";
    planned.changed = means_it && form.text("shown")? != at.0.to_string();
    if !means_it || planned.changed {
        planned.resolved = Some((resolved, zone));
        return last_page(&app, &editor, &issue, planned).await;
    }
    let slot = Slot {
        at,
        local: Some((wall.to_string(), zone)),
    };
    let sent = super::prepared(send::schedule(&app, &issue, &slot).await)?;
    after(&app, &editor, &issue, sent, planned).await
}

/// `POST /admin/issues/{id}/unschedule`: back to the drafts; also the undo of "send".
pub(super) async fn unschedule(
    State(app): State<App>,
    Path(id): Path<String>,
    _: EditorForm,
) -> Result<Response, Problem> {
    let issue = super::find(&app, &id).await?;
    send::unschedule(&app, issue.id).await?;
    // The page of the state that it has now says what came of it.
    Ok(Redirect::to(&format!("{}?done=stop", address(issue.id))).into_response())
}

/// The response if the issue was changed since the editor looked at it: its page if it is on its way, as after the
/// second press of a double click, otherwise an error.
fn overtaken(issue: &Issue) -> Result<Response, Problem> {
    match issue.state {
        IssueState::Scheduled(_) | IssueState::Handed(_) => {
            Ok(Redirect::to(&address(issue.id)).into_response())
        }
        IssueState::Draft | IssueState::Held { .. } => Err(Problem::conflict(
            "Somebody changed this issue after you opened its page. Nothing was done; look at it once more.",
        )),
    }
}

async fn after(
    app: &App,
    editor: &Editor,
    issue: &Issue,
    sent: Sent,
    mut planned: Planned,
) -> Result<Response, Problem> {
    match sent {
        Sent::Scheduled(_) | Sent::Handed { .. } => {
            Ok(Redirect::to(&address(issue.id)).into_response())
        }
        Sent::Blocked(_) | Sent::NoAudience | Sent::NotNow(_) => {
            refused(app, editor, issue, planned).await
        }
        Sent::InThePast => {
            planned.errors.insert(
                "at".into(),
                "That time has passed. Choose a later one.".into(),
            );
            refused(app, editor, issue, planned).await
        }
        Sent::NameTaken => Err(Problem::conflict(NAME_TAKEN)),
        Sent::Changed => overtaken(&super::by_id(app, issue.id).await?),
    }
}

async fn refused(
    app: &App,
    editor: &Editor,
    issue: &Issue,
    planned: Planned,
) -> Result<Response, Problem> {
    let page = last_page(app, editor, issue, planned).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

async fn last_page(
    app: &App,
    editor: &Editor,
    issue: &Issue,
    planned: Planned,
) -> Result<Response, Problem> {
    let now = app.clock.now();
    let at = planned
        .resolved
        .as_ref()
        .map_or(now, |(resolved, _)| resolved.at.into());
    let prepared = super::prepared(prepare(app, issue, at).await)?;
    let home = views::zone_of(&prepared.newsletter);
    let (first_at, first_zone) = first_choice(issue, now, home);
    // Show the local time in the zone from the form, or nothing if that is not a zone.
    let zone = match planned.zone.as_str() {
        "" => Some(first_zone.clone()),
        typed => Zone::parse(typed).ok(),
    };
    let Audience {
        readers: audience,
        excluded,
        not_now,
        ..
    } = audience::of(app, issue).await?;
    let (blocked, warnings): (Vec<_>, Vec<_>) = prepared
        .compiled
        .advice
        .iter()
        .cloned()
        .partition(|advice| advice.weight == Weight::Blocks);
    // A poll that is not open now may be at another time; nothing else depends on it.
    let later = !planned.at.is_empty() || blocked.iter().all(|advice| advice.code == DEAD_POLL);
    let resolved = planned
        .resolved
        .as_ref()
        .map(|(resolved, zone)| written::full(resolved.at, zone));
    let delay = i64::try_from(app.config.mail.undo_seconds).unwrap_or(i64::MAX);
    let schedule_words = match &resolved {
        Some(when) => format!("Schedule for {when}"),
        None => "Check this time".to_owned(),
    };
    app.pages.render(
        "digests/send",
        &json!({
            "frame": editor.frame(),
            "id": issue.id.0,
            "crumb": issue.title(),
            "revision": issue.revision,
            "subject": views::subject(issue),
            "from": views::sender(&prepared.newsletter),
            "reply_to": prepared.newsletter.reply_to,
            "newsletter": views::newsletter(&prepared.newsletter),
            "errors": planned.errors,
            "blocked": (!blocked.is_empty()).then(|| views::advice(&blocked)),
            "advice": views::advice(&warnings),
            "not_now": not_now,
            "sample": issue.sample.is_some(),
            "segment": segment::whom(app, issue).await?,
            "undo": (delay > 0).then(|| seconds(delay)),
            "audience": audience,
            "audience_count": show::count(audience),
            "audience_words": show::counted(audience, "reader", "readers"),
            "anyway": warnings.iter().any(|advice| advice.weight == Weight::Warns),
            "excluded": excluded.iter().map(|excluded| json!({
                "reason": excluded.reason, "count": show::count(excluded.readers),
            })).collect::<Vec<_>>(),
            "now_local": zone.map(|zone| json!({
                "zone": zone.name(), "time": written::short(now.timestamp(), &zone),
            })),
            "form": {
                "at": if planned.at.is_empty() { first_at } else { planned.at },
                "zone": if planned.zone.is_empty() { first_zone.name().to_owned() } else { planned.zone },
            },
            "zones": Zone::names(),
            "later": later,
            "resolved": resolved,
            "shown": planned.resolved.as_ref().map(|_| at.0.to_string()),
            "changed": planned.changed,
            "odd": planned.resolved.as_ref().and_then(|(resolved, zone)| oddity(resolved, zone)),
            "schedule_words": schedule_words,
            "weight": views::weight(&prepared),
        }),
    )
}

/// A remark about a wall time that occurs twice or never.
fn oddity(resolved: &Resolved, zone: &Zone) -> Option<String> {
    match resolved.how {
        Resolution::Exact => None,
        Resolution::AfterGap => Some(format!(
            "Clocks in {zone} go forward at that time, so it does not exist on that day. The first minute after it is used."
        )),
        Resolution::FirstOfTwo => Some(format!(
            "Clocks in {zone} go back at that time, so it occurs twice on that day. The first one is used."
        )),
    }
}

/// The time that the form starts from, and its zone: that of a held issue while it is still to come, otherwise the next
/// morning at `home`.
fn first_choice(issue: &Issue, now: UnixMillis, home: Zone) -> (String, Zone) {
    let ahead = match &issue.state {
        IssueState::Held { slot, .. } => slot.ahead(now),
        _ => None,
    };
    ahead
        .cloned()
        .unwrap_or_else(|| (next_morning(now, &home), home))
}

/// Seven in the morning of the next day: a common choice for newsletters, and a valid value to start from.
fn next_morning(now: UnixMillis, zone: &Zone) -> String {
    let tomorrow = now + Duration::from_secs(24 * 3_600);
    let wall = WallTime::at(tomorrow.timestamp(), zone).to_string();
    let date = wall.split('T').next().unwrap_or_default();
    format!("{date}T07:00")
}

fn seconds(n: i64) -> String {
    show::counted(n, "second", "seconds")
}

/// The page of a scheduled or held issue.
pub(super) async fn waiting(
    app: &App,
    editor: &Editor,
    issue: &Issue,
) -> Result<Response, Problem> {
    let (slot, held) = match &issue.state {
        IssueState::Scheduled(slot) => (slot, None),
        IssueState::Held { slot, reason } => (slot, Some(reason)),
        _ => return Err(Problem::not_found()),
    };
    let now = app.clock.now();
    let prepared = super::prepared(prepare(app, issue, issue.goes_out(now)).await)?;
    let zone = slot.local.as_ref().map_or_else(
        || views::zone_of(&prepared.newsletter),
        |(_, zone)| zone.clone(),
    );
    let audience = audience::of(app, issue).await?.readers;
    let soon = (held.is_none() && slot.local.is_none())
        .then(|| slot.at.since(now).as_millis().div_ceil(1000).max(1))
        .and_then(|seconds| i64::try_from(seconds).ok());
    app.pages.render(
        "digests/waiting",
        &json!({
            "frame": editor.frame(),
            "id": issue.id.0,
            "title": issue.title(),
            "revision": issue.revision,
            "newsletter": views::newsletter(&prepared.newsletter),
            "sample": issue.sample.is_some(),
            "segment": segment::whom(app, issue).await?,
            "state": if held.is_some() { "Held" } else { "Scheduled" },
            "badge": if held.is_some() { "is-wait" } else { "is-live" },
            "held": held,
            "again": held.and_then(|_| slot.ahead(now)).map(|(local, zone)| json!({
                "at": local, "zone": zone.name(), "shown": slot.at.0,
            })),
            "soon": soon,
            "soon_words": soon.map(seconds),
            "live": (soon.is_none() && held.is_none()).then_some(10_000),
            "refresh": soon.map(|seconds| seconds + 1),
            "when": written::full(slot.at.timestamp(), &zone),
            "audience_words": show::counted(audience, "reader", "readers"),
            "shown_subject": views::subject(issue),
            "shown_preheader": prepared.compiled.preheader,
        }),
    )
}
