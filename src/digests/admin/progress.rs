//! The progress page of an issue, and the event stream that keeps it current.
//!
//! Every number comes from the mailer's ledger, read in one statement: the bar shows what the relay has accepted,
//! and audience = handed over + waiting + deferred + failed + in doubt + skipped at every moment. Page and stream
//! are made of the same parts, so the page is complete without a script.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use http::HeaderValue;
use http::header::CACHE_CONTROL;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

use super::super::model::{Issue, IssueState};
use super::super::prepare::is_for_all;
use super::pace::{self, Moment};
use super::recipients::handed;
use super::{again, answers, headline, obstacle, resend, standing, views};
use crate::admin::{Editor, show};
use crate::app::App;
use crate::mailer;
use crate::mailer::mailing::{
    self, Deferrals, DeliveryStateName, MailingState, Order, OrderKind, Progress, Snapshot,
};
use crate::newsletters;
use crate::scheduler::{Zone, written};
use crate::types::{IssueId, UnixMillis};
use crate::web::Problem;
use crate::web::held::UNBUFFERED;

/// The most orders shown.
const ORDERS: u64 = 20;
/// How long a page waits for the first snapshot of a watch.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// How often a stream looks whether its editor is still signed in.
const SESSION_CHECK: Duration = Duration::from_secs(30);
/// The reload interval without scripts, in seconds: long enough to reach a button by keyboard.
const RELOAD: u32 = 15;

/// The page. `done` says what was just done, as in the address.
pub(super) async fn show(
    app: &App,
    editor: &Editor,
    issue: &Issue,
    done: &str,
) -> Result<Response, Problem> {
    let progress = mailing::progress(app, issue.id)
        .await?
        .ok_or_else(Problem::not_found)?;
    let newsletter = newsletters::by_id(app.db.read(), issue.newsletter).await?;
    let newsletter = newsletter.ok_or_else(Problem::not_found)?;
    let in_archive = newsletter.archive && is_for_all(app, issue).await?;
    let zone = views::zone_of(&newsletter);
    let orders = mailing::orders(app.db.read(), issue.id, ORDERS).await?;
    let state = progress.state;
    let live = moves(state);
    // The numbers are read here, so that the page reflects what was just done; the pace needs a watch.
    let seen = if live {
        look(app, issue.id).await
    } else {
        None
    };
    let deferrals = match &seen {
        Some(seen) => seen.deferrals.clone(),
        None if progress.counts.deferred > 0 => mailing::deferrals(&app.db, issue.id).await?,
        None => Deferrals::default(),
    };
    let snapshot = Snapshot {
        pace: seen.as_ref().and_then(|seen| seen.pace),
        next_attempt: seen.as_ref().and_then(|seen| seen.next_attempt),
        deferrals,
        progress,
    };
    let progress = &snapshot.progress;
    let frozen = match issue.state {
        IssueState::Handed(at) => at,
        _ => issue.updated,
    };
    let goes_on = !matches!(state, MailingState::Cancelled | MailingState::Cancelling);
    app.pages.render(
        "digests/progress",
        &json!({
            "frame": editor.frame_saying(said(done, progress)),
            "id": issue.id.0,
            "title": issue.title(),
            "newsletter": views::newsletter(&newsletter),
            "refresh": live.then_some(RELOAD),
            "live": live,
            "badge": show::mailing(state, progress.counts.failed + progress.counts.unknown).1,
            "headline": headline::of(progress, &orders, issue.id, &zone),
            "bar_tone": bar_tone(state),
            "now": parts(app, &snapshot, &zone),
            "can_pause": state == MailingState::Sending,
            "can_resume": state == MailingState::Paused,
            "can_cancel": state == MailingState::Sending || state == MailingState::Paused,
            "can_resend": goes_on && resend::can_resend(app, issue.id, progress).await?,
            "can_settle": progress.counts.unknown > 0,
            "ended": !live,
            "archive": (in_archive && progress.started.is_some())
                .then(|| format!("/archive/{}/{}", newsletter.slug, issue.slug)),
            "shown_subject": views::subject(issue),
            "frozen": full(frozen, &zone),
            "started": progress.started.map(|at| full(at, &zone)),
            "finished": progress.finished.map(|at| full(at, &zone)),
            "finished_label": if state == MailingState::Cancelled { "Cancelled" } else { "Last mail" },
            "answers": answers::rows(app, issue).await?,
            "orders": orders.iter().map(|order| order_line(order, &zone)).collect::<Vec<_>>(),
        }),
    )
}

/// What was just done, or that a stop came too late.
fn said(done: &str, progress: &Progress) -> Option<String> {
    if done != "stop" {
        return again::said(done, progress.counts.unknown);
    }
    let said = match progress.state {
        MailingState::Finished => "It was not stopped: it had already gone out.",
        MailingState::Cancelling | MailingState::Cancelled => return None,
        _ => "It was not stopped: it had already begun. Pause it, or cancel the rest.",
    };
    Some(said.to_owned())
}

/// `GET /admin/issues/{id}/live`: the parts of the page that change, as server-sent events; ends when the mailing
/// does, or the editor's session.
pub(super) async fn live(
    State(app): State<App>,
    editor: Editor,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (issue, zone) = handed(&app, &id).await?;
    if mailing::progress(&app, issue.id).await?.is_none() {
        return Err(Problem::not_found());
    }
    let mut snapshots = mailing::watch(&app, issue.id);
    snapshots.mark_changed();
    let viewer = Viewer {
        checked: app.clock.passed(),
        app,
        editor,
        snapshots,
    };
    // `None`: the last event was sent.
    let events = stream::unfold(Some(viewer), move |viewer| {
        let zone = zone.clone();
        async move {
            let mut viewer = viewer?;
            let Some(snapshot) = viewer.next().await else {
                let end = Event::default().event("end").data("");
                return Some((Ok::<_, Infallible>(end), None));
            };
            let data = parts(&viewer.app, &snapshot, &zone).to_string();
            let event = Event::default().event("progress").data(data);
            Some((Ok(event), Some(viewer)))
        }
    });
    let events = Sse::new(events).keep_alive(KeepAlive::default());
    let unkept = (CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(([UNBUFFERED, unkept], events).into_response())
}

/// An editor who watches an issue being sent.
struct Viewer {
    app: App,
    editor: Editor,
    snapshots: watch::Receiver<Option<Arc<Snapshot>>>,
    /// When the session was last looked up, in [`Clock::passed`](crate::types::Clock::passed).
    checked: Duration,
}

impl Viewer {
    /// The next snapshot; `None` once the mailing has ended, or the session.
    async fn next(&mut self) -> Option<Arc<Snapshot>> {
        loop {
            let changed = timeout(SESSION_CHECK, self.snapshots.changed()).await;
            if !self.is_still_signed_in().await || matches!(changed, Ok(Err(_))) {
                return None;
            }
            let latest = self.snapshots.borrow_and_update().clone();
            if changed.is_ok() && latest.is_some() {
                return latest;
            }
        }
    }

    /// Looks the session up if the last time was a while ago. While the database cannot be read, it counts as ended.
    async fn is_still_signed_in(&mut self) -> bool {
        let now = self.app.clock.passed();
        if now.saturating_sub(self.checked) < SESSION_CHECK {
            return true;
        }
        self.checked = now;
        self.editor
            .is_still_signed_in(&self.app)
            .await
            .unwrap_or(false)
    }
}

/// The latest snapshot of a watch, or its first one.
async fn look(app: &App, issue: IssueId) -> Option<Arc<Snapshot>> {
    let mut viewer = mailing::watch(app, issue);
    let seen = timeout(FIRST_LOOK, viewer.wait_for(Option::is_some)).await;
    seen.ok()?.ok()?.clone()
}

/// The parts that change while the page is open; `shape` changes when more than numbers must be updated.
fn parts(app: &App, snapshot: &Snapshot, zone: &Zone) -> Value {
    let now = app.clock.now();
    let progress = &snapshot.progress;
    let counts = &progress.counts;
    let trouble = counts.failed + counts.unknown;
    let again = resend::some(progress);
    let (state, _) = show::mailing(progress.state, trouble);
    let moment = Moment {
        progress,
        pace: snapshot.pace,
        next_attempt: snapshot.next_attempt,
        obstacle: obstacle::of(&mailer::status(app), now, zone),
    };
    let stuck = moment.is_stuck();
    json!({
        "shape": format!(
            "{state} {} {stuck} {} {} {} {}",
            progress.reason,
            counts.failed > 0,
            again > 0,
            counts.sent > 0,
            counts.unknown > 0
        ),
        "state": state,
        "bar": pace::bar_words(progress.state, counts),
        "done": counts.sent,
        "tried": counts.sent + trouble,
        "trouble": pace::trouble_words(counts),
        "unknown": show::count(counts.unknown),
        "again": show::count(again),
        "audience": counts.audience.max(1),
        "percent": pace::percent(counts.sent, counts.audience),
        "pace": pace::words(&moment, now, zone),
        "stuck": stuck,
        "sum": pace::sum_words(counts),
        "came_back": pace::came_back_words(&progress.came_back),
        "counts": counts_shown(progress),
        "reasons": reasons(progress),
        "deferred": deferred(&snapshot.deferrals),
        "deferred_among": snapshot.deferrals.among.map(|n| format!("Among the first {} deferred.", show::count(n))),
        "as_of": written::short(now.timestamp(), zone),
    })
}

/// Whether the numbers may still change: after a pause the last mails in flight are recorded, and somebody may
/// resume it.
fn moves(state: MailingState) -> bool {
    !matches!(state, MailingState::Finished | MailingState::Cancelled)
}

fn full(at: UnixMillis, zone: &Zone) -> String {
    written::full(at.timestamp(), zone)
}

fn bar_tone(state: MailingState) -> &'static str {
    match state {
        MailingState::Paused | MailingState::Cancelling => "is-wait",
        MailingState::Finished => "is-good",
        MailingState::Preparing | MailingState::Sending | MailingState::Cancelled => "",
    }
}

/// For each count: its name in addresses, label and number.
fn counts_shown(progress: &Progress) -> Vec<Value> {
    let counts = &progress.counts;
    [
        ("sent", "Handed over", counts.sent),
        ("waiting", "Waiting", counts.queued),
        ("deferred", "Deferred", counts.deferred),
        ("failed", "Failed", counts.failed),
        ("unknown", "In doubt", counts.unknown),
        ("skipped", "Skipped", counts.skipped),
    ]
    .into_iter()
    .map(|(name, label, n)| json!({ "name": name, "label": label, "value": show::count(n) }))
    .collect()
}

fn reasons(progress: &Progress) -> Vec<Value> {
    progress
        .reasons
        .iter()
        .map(|(state, reason, n)| {
            let (state, kind, badge) = match state {
                DeliveryStateName::Failed => ("failed", "Failed", "is-bad"),
                DeliveryStateName::Skipped => ("skipped", "Skipped", "is-neutral"),
            };
            let name = standing::REASONS.iter().find(|(_, known)| known == reason);
            json!({
                "reason": show::capital(reason.words()), "kind": kind, "badge": badge, "count": show::count(*n),
                "query": name.map(|(name, _)| format!("state={state}&reason={name}")),
            })
        })
        .collect()
}

fn deferred(deferrals: &Deferrals) -> Vec<Value> {
    deferrals
        .domains
        .iter()
        .map(|domain| {
            json!({
                "domain": domain.domain,
                "count": show::count(domain.recipients),
                "said": domain.said.as_ref().map(standing::said).unwrap_or_default(),
            })
        })
        .collect()
}

fn order_line(order: &Order, zone: &Zone) -> Value {
    let readers = show::counted(order.recipients, "reader", "readers");
    let what = match order.kind {
        OrderKind::Pause => "paused it".to_owned(),
        OrderKind::Resume => "resumed it".to_owned(),
        OrderKind::Cancel => "cancelled it".to_owned(),
        OrderKind::Resend => format!(
            "ordered it again for {readers} that had failed: {}",
            order.detail
        ),
        OrderKind::SettleResend => format!("ordered it again for {readers} in doubt"),
        OrderKind::SettleAccept => format!("took {readers} in doubt as handed over"),
        OrderKind::PausedItself => format!("paused by itself: {}", order.detail),
    };
    let who = if order.who.is_empty() {
        "Canvass"
    } else {
        &order.who
    };
    // It begins the line.
    let who = who
        .strip_prefix("the ")
        .map_or_else(|| who.to_owned(), |rest| format!("The {rest}"));
    json!({ "at": show::time(order.at, zone), "who": who, "what": what })
}
