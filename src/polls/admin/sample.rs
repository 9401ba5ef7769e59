//! `GET /admin/polls/{slug}/sample`: who was drawn and how, the mails to them, and what their answers show.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use super::sample_form::{self, Asked};
use super::tabs::{Tab, page, poll_of};
use crate::admin::{Done, Editor, EditorForm, show as shown};
use crate::app::App;
use crate::digests::{self, SampleMail};
use crate::polls::definition;
use crate::polls::model::{Phase, Poll};
use crate::polls::results::{Results, totals};
use crate::polls::sample::{self, PAUSE, Round, Sample, Sampling, store};
use crate::scheduler::Zone;
use crate::web::Problem;

pub async fn show(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(asked): Query<Asked>,
    Query(done): Query<Done>,
    editor: Editor,
) -> Result<Response, Problem> {
    let poll = poll_of(&app, &slug).await?;
    match &poll.sampling {
        Sampling::Open => sample_form::ask(&app, &editor, &poll, &asked).await,
        Sampling::OpenBeside(id) => {
            let other = definition::by_id(&app.db, *id)
                .await?
                .ok_or_else(Problem::not_found)?;
            Ok(Redirect::to(&address(&other.slug)).into_response())
        }
        Sampling::Drawn(sample) => {
            let said = (done.done == "drawn").then_some(
                "The sample is drawn and the poll is open to it. Nobody has been told yet: write the invitation.",
            );
            drawn(&app, &editor, &poll, sample, said, None).await
        }
    }
}

/// `GET /admin/polls/{slug}/sample/check`: repeats the draw and compares.
///
/// # Errors
/// 404 for an unknown poll.
pub async fn check(
    State(app): State<App>,
    Path(slug): Path<String>,
    editor: Editor,
) -> Result<Response, Problem> {
    let poll = poll_of(&app, &slug).await?;
    let sample = poll.sample().ok_or_else(Problem::not_found)?;
    let same = sample::is_as_drawn(&app.db, poll.id).await?;
    drawn(&app, &editor, &poll, sample, None, same).await
}

/// `POST /admin/polls/{slug}/sample/mail`: creates a draft of the invitation or the reminder. It is reviewed
/// and sent like any issue.
///
/// # Errors
/// 404; 409 if that mail already exists, or if it is too early for it.
pub async fn write(
    State(app): State<App>,
    Path(slug): Path<String>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    let poll = poll_of(&app, &slug).await?;
    let sample = poll.sample().ok_or_else(Problem::not_found)?;
    let round = match form.text("round")?.as_str() {
        "reminder" => Round::Reminder,
        _ => Round::Invitation,
    };
    let to = digests::ToSample {
        poll: poll.id,
        slug: &poll.slug,
        newsletter: sample.newsletter,
        name: &sample.name,
        drawn: sample.size(),
        population: sample.population,
        round,
        questions: poll.questions.len(),
    };
    let issue = digests::write_to_sample(&app, &to, editor.id)
        .await?
        .ok_or_else(|| {
            Problem::conflict("There is already such a mail. Look at the page again.")
        })?;
    Ok(Redirect::to(&format!("/admin/issues/{}", issue.0)).into_response())
}

fn address(slug: &str) -> String {
    format!("/admin/polls/{slug}/sample")
}

async fn drawn(
    app: &App,
    editor: &Editor,
    poll: &Poll,
    sample: &Sample,
    said: Option<&'static str>,
    checked: Option<bool>,
) -> Result<Response, Problem> {
    let zone = Zone::parse(&poll.time_zone).unwrap_or_else(|_| Zone::utc());
    let mut page = page(editor, poll, Tab::Sample, "Random sample");
    page["frame"] = json!(editor.frame_saying(said));
    let record = store::record(&app.db, poll.id)
        .await?
        .ok_or_else(Problem::not_found)?;
    let totals = totals(&app.db, poll).await?;
    let results = Results::of(poll, &totals, &[]);
    let Some(found) = &results.sample else {
        return Err(Problem::not_found());
    };
    let stat = |label: &str, value: String| json!({ "label": label, "value": value });
    page["numbers"] = json!([
        stat("Subscribers on the list", shown::count(found.population)),
        stat("Drawn", shown::count(found.drawn)),
        stat("Answered", shown::count(found.answered)),
        stat(
            "Response rate",
            format!("{:.1}%", found.response_rate * 100.0)
        ),
        stat(
            "Margin",
            found
                .margin
                .map_or_else(|| "–".to_owned(), |points| format!("± {points:.1}"))
        ),
    ]);
    page["few"] = found.margin.is_none().into();
    page["note"] = results.note.as_str().into();
    page["questions"] = results.questions.iter().map(question).collect();
    page["drawn_at"] = json!(shown::time(sample.drawn_at, &zone));
    page["newsletter"] = sample.name.as_str().into();
    page["seed"] = record.seed.into();
    page["checksum"] = HEXLOWER.encode(&record.frame_sha256).into();
    page["checked"] = checked.is_some().into();
    page["same"] = (checked == Some(true)).into();
    if let Some(id) = sample.beside
        && let Some(open) = definition::by_id(&app.db, id).await?
    {
        page["beside"] = json!({ "href": format!("/admin/polls/{}", open.slug) });
    }
    let mails = digests::mails_to_sample(app, poll.id).await?;
    page["mails"] = mails.iter().map(|mail| mailed(mail, &zone)).collect();
    page["next"] = next(app, poll, &mails, &zone);
    app.pages.render("polls/admin_sample", &page)
}

fn question(question: &crate::polls::results::QuestionResult) -> Value {
    json!({
        "text": question.text, "ranges": question.rows.iter().any(|row| row.range.is_some()), "summary": question.summary, "key": question.key,
        "rows": question.rows.iter().map(|row| json!({
            "label": row.label, "count": row.count, "share": row.share, "range": row.range,
        })).collect::<Vec<_>>(),
    })
}

fn mailed(mail: &SampleMail, zone: &Zone) -> Value {
    let (state, badge) = mail.state.shown(mail.trouble);
    json!({
        "href": format!("/admin/issues/{}", mail.issue.0),
        "label": match mail.round {
            Round::Invitation => "Invitation",
            Round::Reminder => "Reminder",
        },
        "state": state, "badge": badge,
        "at": mail.handed.map(|at| shown::time(at, zone)),
        "sent": mail.sent.map(shown::count),
    })
}

/// The mail that may be written now, or what must happen first.
fn next(app: &App, poll: &Poll, mails: &[SampleMail], zone: &Zone) -> Value {
    let now = app.clock.now();
    if !matches!(poll.phase(now), Phase::Open { .. }) {
        return json!({ "wait": "The poll is not open, so nobody is invited or reminded any more." });
    }
    let of = |round: Round| mails.iter().find(|mail| mail.round == round);
    match (of(Round::Invitation), of(Round::Reminder)) {
        (None, _) => json!({ "round": "invitation", "button": "Write the invitation" }),
        (Some(invitation), None) => match invitation.handed {
            None => {
                json!({ "wait": "The invitation has not gone out yet. Its page sends it, or says when." })
            }
            Some(at) if at + PAUSE > now => {
                let when = crate::scheduler::written::full((at + PAUSE).timestamp(), zone);
                json!({ "wait": format!("One reminder can go to those who have not answered, three days after the invitation: from {when}.") })
            }
            Some(_) => json!({ "round": "reminder", "button": "Write the reminder" }),
        },
        (Some(_), Some(_)) => json!({ "wait": "The sample is reminded once, and not again." }),
    }
}
