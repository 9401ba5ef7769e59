//! The composer: the text beside its preview, saved by hand or while typing.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::super::model::{BadContent, Content, Issue};
use super::super::prepare::prepare;
use super::super::segment;
use super::super::test_mail;
use super::super::write::{self, Saved};
use super::views;
use crate::admin::{Editor, EditorForm, show};
use crate::app::App;
use crate::panics::Broke;
use crate::polls;
use crate::scheduler::written;
use crate::types::{IssueId, UnixMillis};
use crate::web::{Problem, RawForm};

/// How many polls the picker offers, the newest first.
const POLLS: i64 = 50;

/// The form's content exactly as typed.
#[derive(Clone, Debug, Default)]
struct Typed {
    subject: String,
    preheader: String,
    body: String,
    revision: i64,
}

impl Typed {
    fn read(form: &RawForm) -> Result<Self, Problem> {
        let body = form.one("body")?.unwrap_or_default();
        Ok(Self {
            subject: form.text("subject")?,
            preheader: form.text("preheader")?,
            body: body.to_owned(),
            revision: form.text("revision")?.parse().unwrap_or(0),
        })
    }

    fn of(issue: &Issue) -> Self {
        Self {
            subject: issue.content.subject.clone(),
            preheader: issue.content.preheader.clone(),
            body: issue.content.body.clone(),
            revision: issue.revision,
        }
    }

    async fn check(&self) -> Result<Result<Content, BadContent>, Broke> {
        write::checked(&self.subject, &self.preheader, &self.body).await
    }

    fn fields(&self) -> Value {
        json!({ "subject": self.subject, "preheader": self.preheader, "body": self.body })
    }
}

/// The composer of a draft.
pub(super) async fn show(
    app: &App,
    editor: &Editor,
    issue: &Issue,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = RawForm::parse(query.unwrap_or_default().as_bytes())?;
    let said = match query.line("done")?.as_str() {
        "saved" => Some("Saved."),
        "test" => Some("The test is on its way to you."),
        "no-test" => Some("Your own address cannot be mailed, so no test was sent."),
        "stop" => Some("It is a draft again. Nothing was sent."),
        _ => None,
    };
    let view = views::view_of(&query.line("view")?);
    page(
        app,
        editor,
        issue,
        &Typed::of(issue),
        view,
        said,
        &Map::new(),
    )
    .await
}

/// `POST /admin/issues/{id}`: saves, then continues where the pressed button leads.
pub(super) async fn save(
    State(app): State<App>,
    Path(id): Path<String>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    // Whatever the reason, a text that is not saved is given back.
    let keep = |problem: Problem| problem.keeping(&form);
    let issue = super::find(&app, &id).await.map_err(keep)?;
    let typed = Typed::read(&form)?;
    let then = form.text("then")?;
    let view = then.strip_prefix("view.").map(views::view_of);
    let content = match typed.check().await? {
        Ok(content) => content,
        Err(bad) => {
            let errors = Map::from_iter([(bad.field().to_owned(), Value::from(bad.to_string()))]);
            let view = view.unwrap_or("desktop");
            let page = page(&app, &editor, &issue, &typed, view, None, &errors).await?;
            return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
        }
    };
    match write::save(&app, issue.id, typed.revision, &content).await? {
        Saved::Stored { .. } => {}
        Saved::Conflict(theirs) => return conflict(&app, &editor, &theirs, &typed).await,
        Saved::NotADraft(_) => {
            return Err(keep(Problem::conflict(
                "This issue is scheduled or being sent, so its text was not changed. Take it back to the drafts to change it.",
            )));
        }
        Saved::Gone => return Err(keep(Problem::not_found())),
    }
    let address = format!("/admin/issues/{}", issue.id.0);
    let next = match (then.as_str(), view) {
        ("send", _) => format!("{address}/send"),
        ("test", _) => {
            let issue = super::find(&app, &id).await?;
            let sent =
                super::prepared(test_mail::send(&app, &issue, &editor.email, &editor.name).await)?;
            format!("{address}?done={}", if sent { "test" } else { "no-test" })
        }
        (_, Some(view)) => format!("{address}?done=saved&view={view}#preview-head"),
        (_, None) => format!("{address}?done=saved"),
    };
    Ok(Redirect::to(&next).into_response())
}

/// `POST /admin/issues/{id}/autosave`: the same save for the script, which gets the data to display as its
/// response.
pub(super) async fn autosave(
    State(app): State<App>,
    Path(id): Path<String>,
    EditorForm { form, .. }: EditorForm,
) -> Result<Response, Problem> {
    let issue = super::find(&app, &id).await?;
    let typed = Typed::read(&form)?;
    let content = match typed.check().await? {
        Ok(content) => content,
        Err(bad) => {
            return Ok(answer(
                StatusCode::UNPROCESSABLE_ENTITY,
                &json!({ "problem": bad.to_string() }),
            ));
        }
    };
    let (revision, at) = match write::save(&app, issue.id, typed.revision, &content).await? {
        Saved::Stored { revision, at } => (revision, at),
        Saved::Conflict(_) => {
            let problem = "Somebody else saved this issue. Save to see both versions.";
            return Ok(answer(StatusCode::CONFLICT, &json!({ "problem": problem })));
        }
        Saved::NotADraft(_) => {
            let problem = "This issue is scheduled or being sent and cannot be changed.";
            return Ok(answer(StatusCode::CONFLICT, &json!({ "problem": problem })));
        }
        Saved::Gone => return Err(Problem::not_found()),
    };
    let issue = Issue {
        content,
        revision,
        ..issue
    };
    let prepared = super::prepared(prepare(&app, &issue, app.clock.now()).await)?;
    let zone = views::zone_of(&prepared.newsletter);
    let shown = json!({
        "revision": revision,
        "saved": show::time(at, &zone),
        "advice": views::advice(&prepared.compiled.advice),
        "weight": views::weight(&prepared),
        "subject": views::subject(&issue),
        "preheader": prepared.compiled.preheader,
    });
    Ok(answer(StatusCode::OK, &shown))
}

fn answer(status: StatusCode, body: &Value) -> Response {
    (status, Json(body)).into_response()
}

async fn page(
    app: &App,
    editor: &Editor,
    issue: &Issue,
    typed: &Typed,
    view: &str,
    said: Option<&'static str>,
    errors: &Map<String, Value>,
) -> Result<Response, Problem> {
    let prepared = super::prepared(prepare(app, issue, app.clock.now()).await)?;
    let zone = views::zone_of(&prepared.newsletter);
    let address = format!("/admin/issues/{}", issue.id.0);
    app.pages.render(
        "digests/edit",
        &json!({
            "frame": editor.frame_saying(said),
            "id": issue.id.0,
            "heading": issue.title(),
            "sample": issue.sample.is_some(),
            "segment": segment::whom(app, issue).await?,
            "newsletter": views::newsletter(&prepared.newsletter),
            "saved": show::time(issue.updated, &zone),
            "revision": typed.revision,
            "form": typed.fields(),
            "errors": errors,
            "polls": polls_to_pick(app, app.clock.now()).await?,
            "advice": views::advice(&prepared.compiled.advice),
            "editor_email": editor.email,
            "weight": views::weight(&prepared),
            "view": view,
            "views": views::VIEWS.iter().map(|(name, label)| json!({
                "view": name, "label": label, "chosen": *name == view,
            })).collect::<Vec<_>>(),
            "phone": view == "phone",
            "preview": format!("{address}/preview?view={view}"),
            "shown_subject": views::subject(issue),
            "shown_preheader": prepared.compiled.preheader,
        }),
    )
}

async fn polls_to_pick(app: &App, now: UnixMillis) -> Result<Vec<Value>, Problem> {
    let polls = polls::list(&app.db, POLLS, 0).await?;
    Ok(polls
        .into_iter()
        .filter(|poll| {
            matches!(
                polls::phase(poll.state(), poll.opens_at, poll.closes_at, now),
                polls::Phase::Open { .. }
            )
        })
        .map(
            |poll| json!({ "question": poll.question, "sample": poll.sample, "mark": format!("{{{{poll:{}}}}}", poll.slug) }),
        )
        .collect())
}

/// Shows both versions side by side; saving again is based on the other editor's.
async fn conflict(
    app: &App,
    editor: &Editor,
    theirs: &Issue,
    mine: &Typed,
) -> Result<Response, Problem> {
    let page = app.pages.render(
        "digests/conflict",
        &json!({
            "frame": editor.frame(),
            "id": theirs.id.0,
            "revision": theirs.revision,
            "mine": mine.fields(),
            "theirs": Typed::of(theirs).fields(),
            "theirs_at": zone_time(app, theirs).await?,
        }),
    )?;
    Ok((StatusCode::CONFLICT, page).into_response())
}

async fn zone_time(app: &App, issue: &Issue) -> Result<Value, Problem> {
    let newsletter = crate::newsletters::by_id(app.db.read(), issue.newsletter).await?;
    let zone = newsletter.as_ref().map(views::zone_of);
    Ok(match zone {
        Some(zone) => json!(show::time(issue.updated, &zone)),
        None => json!(written::machine(issue.updated.timestamp())),
    })
}

/// The address of an issue, for redirects.
pub(super) fn address(id: IssueId) -> String {
    format!("/admin/issues/{}", id.0)
}
