//! `/admin/polls/{slug}/bursts`: bursts of answers that were set aside, what they have in common, how they would change
//! the result, and the editor's decision about them.

use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::moment;
use super::tabs::poll_of;
use crate::admin::{Done, Editor, EditorForm, show as shown};
use crate::app::App;
use crate::db::Backend;
use crate::polls::answer::stored_options;
use crate::polls::ballots::removal::{LONGEST_REASON, NotRemoved};
use crate::polls::model::{Poll, Tier};
use crate::polls::results::{self, Totals};
use crate::polls::trust::{self, Burst, BurstState};
use crate::scheduler::Zone;
use crate::types::{BurstId, UnixMillis};
use crate::web::Problem;

/// Why bursts of this poll can no longer be decided on.
pub(super) const SEALED: &str = "The key of this poll has been destroyed, so that nobody can link its answers to readers. What counts stays as it is.";

const HOUR: Duration = Duration::from_secs(60 * 60);

/// `GET /admin/polls/{slug}/bursts`
pub async fn show(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(query): Query<Done>,
    editor: Editor,
) -> Result<Response, Problem> {
    let notice = match query.done.as_str() {
        "counted" => Some("These answers count again."),
        "removed" => Some("The answers stay out, and readers see your reason."),
        "leaving" => Some("Your decision is recorded. The answers still count: see below."),
        _ => None,
    };
    page(&app, &slug, editor.frame_saying(notice), None).await
}

/// `POST /admin/polls/{slug}/bursts`: counts a burst after all, or removes it for a reason.
pub async fn decide(
    State(app): State<App>,
    Path(slug): Path<String>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    let poll = poll_of(&app, &slug).await?;
    let id: i64 = form.text("burst")?.parse().unwrap_or(0);
    let bursts = trust::bursts_of(&app.db, poll.id).await?;
    let burst = bursts
        .iter()
        .find(|burst| burst.id == BurstId(id))
        .ok_or_else(Problem::not_found)?;
    if poll.sealed_at.is_some() {
        return Err(Problem::conflict(SEALED));
    }
    let done = if form.text("then")? == "count" {
        match trust::count_after_all(&app, poll.id, burst, editor.id).await {
            Ok(()) => {}
            Err(NotRemoved::Db(error)) => return Err(error.into()),
            Err(NotRemoved::Sealed) => return Err(Problem::conflict(SEALED)),
            Err(refused) => return Err(Problem::conflict(format!("{refused}."))),
        }
        "counted"
    } else {
        let reason = form.line("reason")?;
        if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
            let error = "Write why in at most 500 characters: readers see it beside the result.";
            let mut response = page(&app, &slug, editor.frame(), Some((burst.id, error))).await?;
            *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
            return Ok(response);
        }
        if !trust::leave_out(&app, poll.id, burst, &reason, editor.id).await? {
            return Err(Problem::conflict(
                "These answers count again. Reload the page to see the current state.",
            ));
        }
        let now = trust::bursts_of(&app.db, poll.id).await?;
        let waits = |now: &Burst| now.id == burst.id && now.state == BurstState::Leaving;
        match now.iter().any(waits) {
            true => "leaving",
            false => "removed",
        }
    };
    Ok(Redirect::to(&format!("/admin/polls/{slug}/bursts?done={done}")).into_response())
}

async fn page(
    app: &App,
    slug: &str,
    frame: crate::admin::Frame,
    error: Option<(BurstId, &str)>,
) -> Result<Response, Problem> {
    let poll = poll_of(app, slug).await?;
    let bursts = trust::bursts_of(&app.db, poll.id).await?;
    let totals = results::totals(&app.db, &poll).await?;
    let zone = Zone::parse(&poll.time_zone).unwrap_or_else(|_| Zone::utc());
    let mut listed = Vec::new();
    for burst in &bursts {
        let with = trust::counts_of(&app.db, poll.id, &burst.aside).await?;
        let mut row = burst_view(&poll, burst, &zone);
        // With several nodes, another one may know them.
        let known =
            app.db.backend() == Backend::Postgres || app.polls.watch.holds(poll.id, burst.id);
        row["known"] = known.into();
        let out = row["out"] == true;
        row["leave_out"] = (out || known && burst.state == BurstState::Noticed).into();
        row["groups"] = compared(
            &poll,
            &Without {
                totals: &totals,
                taken: None,
            },
            &with,
        )
        .into();
        row["error"] = error
            .filter(|(id, _)| *id == burst.id)
            .map(|(_, words)| words)
            .into();
        listed.push(row);
    }
    let page = json!({
        "frame": frame, "slug": poll.slug, "question": poll.headline(),
        "sealed": poll.sealed_at.map(|_| SEALED),
        "headline": headline(poll.headline_tier), "bursts": listed,
    });
    app.pages.render("polls/admin_bursts", &page)
}

fn burst_view(poll: &Poll, burst: &Burst, zone: &Zone) -> Value {
    let said = stored_options(&burst.choices);
    let said: Vec<&str> = poll
        .options()
        .filter(|option| said.contains(&option.id))
        .map(|option| option.label.as_str())
        .collect();
    let (state, badge) = match burst.state {
        BurstState::Noticed => ("Counted so far", "is-wait"),
        BurstState::SetAside => ("Set aside", "is-wait"),
        BurstState::Counted => ("Counted", "is-good"),
        BurstState::Removed => ("Removed", "is-neutral"),
        BurstState::Leaving => ("Still counted", "is-wait"),
    };
    json!({
        "id": burst.id.0,
        "ballots": shown::counted(burst.ballots, "answer", "answers"),
        "state": state, "badge": badge,
        "noticed": burst.state == BurstState::Noticed,
        "leaving": burst.state == BurstState::Leaving,
        "from_hour": hour(burst.first, zone), "until_hour": hour(burst.last + HOUR, zone),
        "out": matches!(burst.state, BurstState::SetAside | BurstState::Removed),
        // The process ended before all of the burst's ballots were given back.
        "unfinished": burst.state == BurstState::Counted && !burst.aside.is_empty(),
        "removed": burst.state == BurstState::Removed,
        "said": said.join(", "),
        "networks": shown::count(burst.networks),
        "first": shown::time(burst.first, zone),
        "last": shown::time(burst.last, zone),
        "found": shown::time(burst.found, zone),
        "decided": burst.decided.map(|at| shown::time(at, zone)),
        "signs": burst.signs.iter().map(|sign| sign.words()).collect::<Vec<_>>(),
        "reason": burst.reason,
    })
}

/// The hour in which something happened, as the page about answers left out by time reads it.
fn hour(at: UnixMillis, zone: &Zone) -> String {
    let written = moment::written(at, zone);
    format!("{}00", written.get(..14).unwrap_or_default())
}

/// A result without some answers: the totals as they are if these answers are already excluded, else
/// the totals minus `taken`.
pub(super) struct Without<'a> {
    pub totals: &'a Totals,
    pub taken: Option<&'a trust::Counts>,
}

/// Each option with and without some answers, in the headline's tier: one group for each question, under its text if
/// there are several, with the number of readers last.
pub(super) fn compared(poll: &Poll, without: &Without<'_>, them: &trust::Counts) -> Vec<Value> {
    let tier = poll.headline_tier;
    let Without { totals, taken } = *without;
    let voters = totals.voters(tier) - taken.map_or(0, |taken| taken.voters(tier));
    let with_voters = voters + them.voters(tier);
    let share = |n: i64, of: i64| match of {
        0 => "–".to_owned(),
        of => format!("{:.1}%", n as f64 * 100.0 / of as f64),
    };
    let row = |label: &str, n: i64, more: i64| {
        json!({
            "label": label, "n": shown::count(n), "share": share(n, voters),
            "both": shown::count(n + more), "both_share": share(n + more, with_voters),
        })
    };
    let several = poll.questions.len() > 1;
    let questions = poll.questions.iter().map(|question| {
        let options = question.options.iter().map(|option| {
            let taken = taken.map_or(0, |taken| taken.option(option.id, tier));
            let n = totals.option(option.id, tier) - taken;
            row(&option.label, n, them.option(option.id, tier))
        });
        let heading = several.then_some(&question.text);
        json!({ "heading": heading, "rows": options.collect::<Vec<_>>() })
    });
    let readers = json!({
        "label": "Readers", "n": shown::count(voters), "share": "–",
        "both": shown::count(with_voters), "both_share": "–", "total": true,
    });
    questions
        .chain(std::iter::once(
            json!({ "heading": several.then_some("In all"), "rows": [readers] }),
        ))
        .collect()
}

pub(super) fn headline(tier: Tier) -> &'static str {
    match tier {
        Tier::Anonymous => "everybody who answered",
        Tier::Worked => "browsers that solved a proof of work, and better",
        Tier::Subscriber => "confirmed subscribers",
        Tier::SignedIn => "readers who are signed in",
    }
}
