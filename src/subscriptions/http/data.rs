//! `/data/{token}`: what is kept about a reader, by a link from a fresh mail.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use super::{page, pressed_by_a_program, unknown_link};
use crate::admin::show;
use crate::app::App;
use crate::subscriptions::data::{self, Kept};
use crate::types::ReaderId;
use crate::web::{Problem, RawForm, press};

const TITLE: &str = "What we keep about you";
const OLD: &str = "It works for a day. On the page where you choose what you receive you can ask for a fresh one.";

/// `GET`
pub async fn show(State(app): State<App>, Path(token): Path<String>) -> Result<Response, Problem> {
    match kept(&app, &token).await? {
        Some((_, kept)) => page(&app, StatusCode::OK, "data", TITLE, words(&token, &kept)),
        None => unknown_link(&app, OLD),
    }
}

/// `GET /data/{token}/file`: all of it, as JSON.
pub async fn file(State(app): State<App>, Path(token): Path<String>) -> Result<Response, Problem> {
    let Some((_, kept)) = kept(&app, &token).await? else {
        return unknown_link(&app, OLD);
    };
    let text = serde_json::to_string_pretty(&kept).map_err(|e| Problem::internal(&e))?;
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("application/json; charset=utf-8"),
        ),
        (
            CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"my-data.json\""),
        ),
    ];
    Ok((headers, text).into_response())
}

/// `POST`: erases.
pub async fn submit(
    State(app): State<App>,
    Path(token): Path<String>,
    form: RawForm,
) -> Result<Response, Problem> {
    let Some((reader, kept)) = kept(&app, &token).await? else {
        return unknown_link(&app, OLD);
    };
    let mut words = words(&token, &kept);
    if !press::is_by_a_person(&form)? {
        return pressed_by_a_program(&app, "data", TITLE, words);
    }
    // Programs that press buttons do not tick boxes.
    if form.one("sure")?.is_none() {
        words["sure_error"] = "Tick the box if everything shall be erased".into();
        return page(&app, StatusCode::UNPROCESSABLE_ENTITY, "data", TITLE, words);
    }
    data::erase(&app, reader).await?;
    page(
        &app,
        StatusCode::OK,
        "erased",
        "Everything about you is erased",
        json!({}),
    )
}

async fn kept(app: &App, token: &str) -> Result<Option<(ReaderId, Kept)>, Problem> {
    let Some(reader) = data::open(&app.keys, token, app.clock.now()) else {
        return Ok(None);
    };
    Ok(data::gather(app, reader).await?.map(|kept| (reader, kept)))
}

fn words(token: &str, kept: &Kept) -> serde_json::Value {
    // A day is near enough on the page; the file has the moment.
    let day = |at: &str| match at.parse::<jiff::Timestamp>() {
        Ok(at) => at.strftime("%-d %B %Y").to_string(),
        Err(_) => at.to_owned(),
    };
    let subscriptions = kept.subscriptions.iter().map(
        |s| json!({ "newsletter": s.newsletter, "state": s.state, "since": day(&s.changed_at) }),
    );
    let answers = kept
        .linked_answers
        .iter()
        .map(|a| json!({ "answers": a.answers, "words": a.words, "agreed": day(&a.agreed_at) }));
    json!({
        "token": token, "email": kept.email, "name": kept.name, "since": day(&kept.since),
        "subscriptions": subscriptions.collect::<Vec<_>>(), "answers": answers.collect::<Vec<_>>(),
        "issues": show::counted(i64::try_from(kept.issues.len()).unwrap_or(i64::MAX), "issue was", "issues were"),
    })
}
