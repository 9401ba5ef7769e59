//! The page with the form of a poll, and its preview.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::form::{Errors, HEADLINES, LINKINGS, Typed, VISIBILITIES};
use super::questions::TypedQuestion;
use super::tabs::poll_of;
use crate::admin::{Editor, Frame, show};
use crate::app::App;
use crate::newsletters;
use crate::polls::form::{FormPage, FormView, offer};
use crate::polls::model::{Kind, Poll, PollState, Tier};
use crate::polls::results;
use crate::scheduler::Zone;
use crate::web::Problem;
use crate::web::problems::in_order;

/// The kinds a question can have: words and a hint.
const KINDS: [(Kind, &str, &str); 4] = [
    (Kind::Single, "Choosing one option", ""),
    (
        Kind::Several,
        "Choosing several options",
        "Shares are then of the people who answered, so they can add up to more than 100 per cent.",
    ),
    (
        Kind::Rating,
        "Rating on a scale",
        "The result is the distribution and, from 30 answers on, the mean.",
    ),
    (
        Kind::Ranked,
        "Ranking the options",
        "The result is an instant run-off, shown round by round.",
    ),
];

/// The scales a rating can have.
const SCALES: [(&str, &str); 6] = [
    ("1-3", "1 to 3"),
    ("1-4", "1 to 4"),
    ("1-5", "1 to 5"),
    ("1-7", "1 to 7"),
    ("1-10", "1 to 10"),
    ("0-10", "0 to 10"),
];

/// The fields of a question, in the order of the form.
const OF_A_QUESTION: [&str; 7] = [
    "question",
    "kind",
    "scale",
    "options",
    "pictures",
    "max_choices",
    "other",
];

/// The fields after the questions, in the order of the form.
const AFTER_QUESTIONS: [&str; 10] = [
    "intro",
    "slug",
    "opens",
    "closes",
    "time_zone",
    "visibility",
    "linking",
    "link_words",
    "headline_tier",
    "newsletter",
];

/// All fields that can have an error, in the order of the form.
fn fields(typed: &Typed) -> Vec<String> {
    let of_questions = typed.questions.iter().flat_map(|question| {
        OF_A_QUESTION
            .iter()
            .map(move |field| format!("{field}.{}", question.number))
    });
    of_questions
        .chain(AFTER_QUESTIONS.map(str::to_owned))
        .collect()
}

/// The step of the time fields, in seconds: whole minutes, unless a field holds a finer value.
fn step(times: &[&str]) -> &'static str {
    if times.iter().any(|time| time.contains('.')) {
        "0.001"
    } else if times.iter().any(|time| time.matches(':').count() > 1) {
        "1"
    } else {
        "60"
    }
}

/// Radio buttons: values, labels and hints.
fn choices<'a>(
    all: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>,
    chosen: &str,
) -> Vec<Value> {
    all.into_iter()
        .map(|(value, label, hint)| json!({ "value": value, "label": label, "hint": hint, "chosen": value == chosen }))
        .collect()
}

/// Adds to a typed question what can be chosen in it, and its errors.
fn complete(into: &mut Value, question: &TypedQuestion, errors: &Errors) {
    let kinds = KINDS.map(|(kind, label, hint)| (kind.name(), label, hint));
    into["kinds"] = choices(kinds, &question.kind).into();
    let known = SCALES.iter().any(|(value, _)| *value == question.scale);
    let own = (!known).then(|| question.scale.replace('-', " to "));
    into["scales"] = SCALES
        .iter()
        .copied()
        .chain(own.as_deref().map(|label| (question.scale.as_str(), label)))
        .map(|(value, label)| json!({ "value": value, "label": label, "chosen": value == question.scale }))
        .collect();
    for field in OF_A_QUESTION {
        if let Some(error) = errors.get(&format!("{field}.{}", question.number)) {
            into[format!("{field}_error")] = error.as_str().into();
        }
    }
}

/// Makes the page that of an existing poll. Of a poll that is no longer a draft only a part can be changed.
async fn describe(app: &App, page: &mut Value, poll: &Poll) -> Result<(), Problem> {
    let back = format!("/admin/polls/{}", poll.slug);
    page["existing"] = poll.slug.as_str().into();
    page["heading"] = "Edit the poll".into();
    page["action"] = format!("{back}/edit").into();
    page["back"] = back.into();
    page["back_label"] = poll.headline().into();
    if poll.state == PollState::Draft {
        return Ok(());
    }
    let totals = results::totals(&app.db, poll).await?;
    let voters = totals.voters(Tier::Anonymous);
    let words = poll.linking.as_ref().map(|words| words.text.as_str());
    page["whole"] = false.into();
    page["linked"] = words.into();
    page["submit"] = "Save".into();
    page["answered"] = show::counted(voters, "reader has", "readers have").into();
    Ok(())
}

/// The form, with its errors.
///
/// # Errors
/// A 500 or 503 when the database fails.
pub async fn form_page(
    app: &App,
    frame: Frame,
    poll: Option<&Poll>,
    typed: &Typed,
    errors: &Errors,
) -> Result<Response, Problem> {
    let letters = newsletters::all(app.db.read()).await?;
    let mut page = json!({
        "frame": frame, "form": typed, "errors": errors, "error_list": in_order(errors, &fields(typed)), "zones": Zone::names(),
        "newsletters": letters.iter()
            .map(|letter| json!({ "slug": letter.slug, "name": letter.name, "chosen": letter.slug == typed.newsletter }))
            .collect::<Vec<_>>(),
        "visibilities": choices(VISIBILITIES.map(|(value, _, label, hint)| (value, label, hint)), &typed.visibility),
        "headlines": choices(HEADLINES.map(|(value, _, label, hint)| (value, label, hint)), &typed.headline_tier),
        "linkings": choices(LINKINGS, &typed.linking), "whole": true, "many": typed.questions.len() > 1,
        "step": step(&[&typed.opens, &typed.closes]),
        "heading": "New poll", "action": "/admin/polls", "submit": "Save the draft", "back": "/admin/polls", "back_label": "Polls",
    });
    for (place, question) in typed.questions.iter().enumerate() {
        complete(&mut page["form"]["questions"][place], question, errors);
    }
    if let Some(poll) = poll {
        describe(app, &mut page, poll).await?;
    }
    let page = app.pages.render("polls/admin_form", &page)?;
    let status = if errors.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    Ok((status, page).into_response())
}

/// `GET /admin/polls/{slug}/preview`: the stored poll as readers see it before they answer, whatever its state.
///
/// # Errors
/// 404 for an unknown poll.
pub async fn show_preview(
    State(app): State<App>,
    Path(slug): Path<String>,
    _: Editor,
) -> Result<Response, Problem> {
    let poll = poll_of(&app, &slug).await?;
    preview(&app, &poll).await
}

/// A poll as readers see it, with a button that does nothing.
///
/// # Errors
/// A 500 or 503 when the database fails.
pub async fn preview(app: &App, poll: &Poll) -> Result<Response, Problem> {
    let mut form = FormView::of(poll, offer::of(app, poll).await?);
    form.shuffle(poll, u64::from_le_bytes(app.random.bytes()));
    form.preview = true;
    let mut page = FormPage::of(poll, app.clock.now(), form);
    page.noindex = true;
    app.pages.render("polls/poll", &page)
}
