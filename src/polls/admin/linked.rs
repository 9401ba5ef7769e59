//! `/admin/polls/{slug}/linked`: the answers that readers agreed to have kept with their address: how many there are,
//! writing to those who gave a certain answer, and the export.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::form::Errors;
use super::tabs::{Tab, page, poll_of};
use crate::admin::{Editor, EditorForm, show as shown};
use crate::app::App;
use crate::digests;
use crate::newsletters;
use crate::polls::linked::export::{DICTIONARY, Format, Taker, take};
use crate::polls::linked::{SMALLEST, Tally, chosen, store};
use crate::polls::model::{Poll, Tier};
use crate::polls::results::totals;
use crate::scheduler::Zone;
use crate::web::problems::in_order;
use crate::web::{Problem, RawForm};

/// `GET`
///
/// # Errors
/// 404 for a secret poll.
pub async fn show(
    State(app): State<App>,
    Path(slug): Path<String>,
    editor: Editor,
) -> Result<Response, Problem> {
    let poll = linked_poll(&app, &slug).await?;
    let asked = Asked::default();
    linked_page(&app, &editor, &poll, &asked, &Errors::new()).await
}

/// What an editor asks for.
#[derive(Default)]
struct Asked {
    options: Vec<i64>,
    newsletter: String,
}

impl Asked {
    fn read(form: &RawForm) -> Result<Self, Problem> {
        Ok(Self {
            options: form
                .all("option")
                .filter_map(|key| key.parse().ok())
                .collect(),
            newsletter: form.text("newsletter")?,
        })
    }
}

/// `POST …/issue`: creates a draft for the readers who chose one of the options. It is reviewed
/// and sent like any issue.
///
/// # Errors
/// 404 for a secret poll.
pub async fn write(
    State(app): State<App>,
    Path(slug): Path<String>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    let poll = linked_poll(&app, &slug).await?;
    let asked = Asked::read(&form)?;
    let mut errors = Errors::new();
    let letters = newsletters::all(app.db.read()).await?;
    let letter = letters.iter().find(|l| l.slug == asked.newsletter);
    if letter.is_none() {
        errors.insert("newsletter".into(), "Choose one of the newsletters.".into());
    }
    let segment = chosen(&app, &poll, &asked.options).await?;
    if let Err(refused) = &segment {
        errors.insert("options".into(), refused.to_string());
    }
    let (Some(letter), Ok(segment)) = (letter, segment) else {
        return linked_page(&app, &editor, &poll, &asked, &errors).await;
    };
    let question = poll
        .questions
        .iter()
        .find(|q| segment.options.iter().any(|id| q.has(*id)))
        .map_or(poll.headline(), |q| q.text.as_str());
    let issue = digests::write_to_segment(&app, letter.id, &segment, question, editor.id).await?;
    Ok(Redirect::to(&format!("/admin/issues/{}", issue.0)).into_response())
}

/// `POST …/export`: the file. It is not a GET because each export is recorded.
///
/// # Errors
/// 404 for a secret poll, 422 for an unknown format.
pub async fn export(
    State(app): State<App>,
    Path(slug): Path<String>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    let poll = linked_poll(&app, &slug).await?;
    let format = Format::read(&form.text("format")?)?;
    let file = take(&app, &poll, format, Taker::Editor(editor.id))
        .await?
        .ok_or_else(Problem::not_found)?;
    Ok((format.headers(&poll.slug), file).into_response())
}

async fn linked_poll(app: &App, slug: &str) -> Result<Poll, Problem> {
    let poll = poll_of(app, slug).await?;
    if poll.linking.is_none() {
        return Err(Problem::not_found());
    }
    Ok(poll)
}

async fn linked_page(
    app: &App,
    editor: &Editor,
    poll: &Poll,
    asked: &Asked,
    errors: &Errors,
) -> Result<Response, Problem> {
    let zone = Zone::parse(&poll.time_zone).unwrap_or_else(|_| Zone::utc());
    let mut page = page(editor, poll, Tab::Linked, "Linked answers");
    let tally = Tally::of(&app.db, poll.id).await?;
    let linked = tally.all();
    let answered = totals(&app.db, poll).await?.voters(Tier::Anonymous);
    let stat = |label: &str, n: i64| json!({ "label": label, "value": shown::count(n) });
    page["numbers"] = json!([stat("Linked answers", linked), stat("Answered", answered)]);
    page["any"] = (linked > 0).into();
    page["readers"] = shown::counted(linked, "reader", "readers").into();
    page["smallest"] = SMALLEST.into();
    page["questions"] = poll
        .questions
        .iter()
        .map(|question| {
            let options = question.options.iter().map(|option| {
                let n = tally.of_any(&[option.id]);
                json!({
                    "key": option.key, "label": question.shown_label(option), "count": shown::count(n),
                    "chosen": asked.options.contains(&option.key),
                })
            });
            json!({ "key": question.key, "text": question.text, "options": options.collect::<Vec<_>>() })
        })
        .collect();
    let letters = newsletters::all(app.db.read()).await?;
    page["newsletters"] = letters
        .iter()
        .map(|letter| {
            let chosen = match asked.newsletter.as_str() {
                "" => poll.newsletter == Some(letter.id),
                slug => letter.slug == slug,
            };
            json!({ "slug": letter.slug, "name": letter.name, "chosen": chosen })
        })
        .collect();
    let taken = store::exports(&app.db, poll.id).await?;
    page["exports"] = taken
        .iter()
        .map(|taken| {
            json!({
                "who": taken.who, "format": taken.format.to_uppercase(), "at": shown::time(taken.at, &zone),
                "readers": shown::counted(taken.readers, "reader", "readers"),
            })
        })
        .collect::<Vec<Value>>()
        .into();
    if let Some(words) = &poll.linking {
        page["words"] = words.text.as_str().into();
        page["version"] = words.version.into();
    }
    page["dictionary"] = json!(DICTIONARY);
    page["errors"] = json!(errors);
    page["error_list"] = in_order(errors, &["options", "newsletter"]).into();
    let page = app.pages.render("polls/admin_linked", &page)?;
    let status = if errors.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    Ok((status, page).into_response())
}
