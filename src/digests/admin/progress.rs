//! The page of an issue on its way.
//!
//! Every number comes from the mailer's ledger, read in one statement: the bar is what the relay has
//! taken, and audience = handed over + waiting + deferred + failed + in doubt + skipped at every look.

use axum::response::Response;
use serde_json::{Value, json};

use super::super::model::{Issue, IssueState};
use super::super::prepare::prepare;
use super::{pace, views};
use crate::admin::{Editor, show};
use crate::app::App;
use crate::mailer::mailing::{self, DeliveryStateName, MailingState, Progress};
use crate::scheduler::{Zone, written};
use crate::types::UnixMillis;
use crate::web::Problem;

pub(super) async fn show(app: &App, editor: &Editor, issue: &Issue) -> Result<Response, Problem> {
    let progress = mailing::progress(app, issue.id)
        .await?
        .ok_or_else(Problem::not_found)?;
    let prepared = super::prepared(prepare(app, issue, app.clock.now()).await)?;
    let zone = views::zone_of(&prepared.newsletter);
    let counts = &progress.counts;
    let (state, badge) = state_words(progress.state);
    let open = counts.queued + counts.deferred;
    let done = counts.audience - open;
    let sending = matches!(
        progress.state,
        MailingState::Preparing | MailingState::Sending
    );
    let live = sending || progress.state == MailingState::Cancelling;
    let frozen = match issue.state {
        IssueState::Handed(at) => at,
        _ => issue.updated,
    };
    app.pages.render(
        "digests/progress",
        &json!({
            "frame": editor.frame(),
            "id": issue.id.0,
            "title": issue.title(),
            "newsletter": views::newsletter(&prepared.newsletter),
            "state": state,
            "badge": badge,
            "live": live,
            "notices": notices(&progress),
            "bar_words": pace::bar_words(progress.state, counts),
            "bar_tone": bar_tone(progress.state),
            "done": done,
            "audience": counts.audience.max(1),
            "percent": pace::percent(done, counts.audience),
            "pace": pace::words(&progress, app.clock.now(), &zone),
            "counts": counts_shown(&progress),
            "sum_words": pace::sum_words(counts),
            "reasons": reasons(&progress),
            "can_pause": sending,
            "can_resume": progress.state == MailingState::Paused,
            "can_cancel": progress.state == MailingState::Sending || progress.state == MailingState::Paused,
            "archive": (prepared.newsletter.archive && progress.started.is_some())
                .then(|| format!("/archive/{}/{}", prepared.newsletter.slug, issue.slug)),
            "shown_subject": views::subject(issue, &prepared),
            "frozen": full(frozen, &zone),
            "started": progress.started.map(|at| full(at, &zone)),
            "finished": progress.finished.map(|at| full(at, &zone)),
            "finished_label": if progress.state == MailingState::Cancelled { "Cancelled" } else { "Last mail" },
        }),
    )
}

fn full(at: UnixMillis, zone: &Zone) -> String {
    written::full(at.timestamp(), zone)
}

fn state_words(state: MailingState) -> (&'static str, &'static str) {
    match state {
        MailingState::Preparing => ("Freezing the readers", "is-live"),
        MailingState::Sending => ("Sending", "is-live"),
        MailingState::Paused => ("Paused", "is-wait"),
        MailingState::Cancelling => ("Cancelling", "is-wait"),
        MailingState::Finished => ("Finished", "is-good"),
        MailingState::Cancelled => ("Cancelled", "is-bad"),
    }
}

fn bar_tone(state: MailingState) -> &'static str {
    match state {
        MailingState::Paused | MailingState::Cancelling => "is-wait",
        MailingState::Cancelled => "is-bad",
        MailingState::Finished => "is-good",
        MailingState::Preparing | MailingState::Sending => "",
    }
}

fn notices(progress: &Progress) -> Vec<Value> {
    let mut notices = Vec::new();
    let mut say = |tone: &str, text: String| notices.push(json!({ "tone": tone, "text": text }));
    match progress.state {
        MailingState::Paused => {
            let reason = if progress.reason.is_empty() {
                String::new()
            } else {
                format!(": {}", progress.reason)
            };
            say(
                "is-wait",
                format!("Nothing goes out until somebody resumes it{reason}."),
            );
        }
        MailingState::Cancelled => say(
            "is-bad",
            "It was cancelled. What had been handed over stays handed over.".to_owned(),
        ),
        _ => {}
    }
    let counts = &progress.counts;
    if counts.deferred > 0 && progress.state != MailingState::Finished {
        say(
            "is-wait",
            format!(
                "{} could not be mailed for now, because the receiving side asked us to come back later. Canvass tries again by itself.",
                show::counted(counts.deferred, "reader", "readers"),
            ),
        );
    }
    if counts.unknown > 0 {
        say(
            "is-wait",
            format!(
                "{} may or may not have got it: the connection broke at the last moment. They are held, so that nobody gets it twice.",
                show::counted(counts.unknown, "reader", "readers"),
            ),
        );
    }
    notices
}

fn counts_shown(progress: &Progress) -> Vec<Value> {
    let counts = &progress.counts;
    [
        ("Audience", counts.audience, true),
        ("Handed over", counts.sent, true),
        ("Waiting", counts.queued, true),
        ("Deferred", counts.deferred, counts.deferred > 0),
        ("Failed", counts.failed, true),
        ("In doubt", counts.unknown, counts.unknown > 0),
        ("Skipped", counts.skipped, true),
    ]
    .into_iter()
    .filter(|(.., shown)| *shown)
    .map(|(label, value, _)| json!({ "label": label, "value": show::count(value) }))
    .collect()
}

fn reasons(progress: &Progress) -> Vec<Value> {
    progress
        .reasons
        .iter()
        .map(|(state, reason, n)| {
            let kind = match state {
                DeliveryStateName::Failed => "failed",
                DeliveryStateName::Skipped => "skipped",
            };
            json!({ "reason": reason.words(), "kind": kind, "count": show::count(*n) })
        })
        .collect()
}
