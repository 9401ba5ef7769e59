//! `/data/{token}`: the data that is kept about a reader, by a link from a fresh mail.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use super::{page, pressed_by_a_program, unknown_link};
use crate::admin::show;
use crate::app::App;
use crate::subscriptions::data::{self, Kept, Opened};
use crate::types::ReaderId;
use crate::web::{Problem, RawForm, press};

const TITLE: &str = "What we keep about you";
const EXPIRED: &str = "This link has expired";
const UNKNOWN: &str = "It may be incomplete, or what it led to has been erased.";

/// `GET`
pub async fn show(State(app): State<App>, Path(token): Path<String>) -> Result<Response, Problem> {
    match kept(&app, &token).await? {
        Found::Kept(_, kept) => page(&app, StatusCode::OK, "data", TITLE, words(&token, &kept)),
        Found::Expired(_) => expired(&app, &token),
        Found::Nothing => unknown_link(&app, UNKNOWN),
    }
}

/// `GET /data/{token}/file`: all of it, as JSON.
pub async fn file(State(app): State<App>, Path(token): Path<String>) -> Result<Response, Problem> {
    let kept = match kept(&app, &token).await? {
        Found::Kept(_, kept) => kept,
        Found::Expired(_) => return expired(&app, &token),
        Found::Nothing => return unknown_link(&app, UNKNOWN),
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

/// `POST`: erases the data. With an expired link, mails a fresh one.
pub async fn submit(
    State(app): State<App>,
    Path(token): Path<String>,
    form: RawForm,
) -> Result<Response, Problem> {
    let (reader, kept) = match kept(&app, &token).await? {
        Found::Kept(reader, kept) => (reader, kept),
        Found::Expired(reader) => return renew(&app, &token, reader, &form).await,
        Found::Nothing => return unknown_link(&app, UNKNOWN),
    };
    let mut words = words(&token, &kept);
    if !press::is_by_a_person(&form)? {
        return pressed_by_a_program(&app, "data", TITLE, words);
    }
    // Scanners that press buttons do not tick boxes.
    if form.one("sure")?.is_none() {
        words["sure_error"] = "Tick the box to have everything erased.".into();
        return page(&app, StatusCode::UNPROCESSABLE_ENTITY, "data", TITLE, words);
    }
    data::erase(&app, reader).await?;
    page(
        &app,
        StatusCode::OK,
        "erased",
        "Everything about you has been erased",
        json!({}),
    )
}

/// The result of opening a link.
enum Found {
    Kept(ReaderId, Box<Kept>),
    Expired(ReaderId),
    Nothing,
}

async fn kept(app: &App, token: &str) -> Result<Found, Problem> {
    Ok(match data::open(&app.keys, token, app.clock.now()) {
        Opened::Good(reader) => match data::gather(app, reader).await? {
            Some(kept) => Found::Kept(reader, Box::new(kept)),
            None => Found::Nothing,
        },
        Opened::Expired(reader) => Found::Expired(reader),
        Opened::Unknown => Found::Nothing,
    })
}

fn expired(app: &App, token: &str) -> Result<Response, Problem> {
    let words = json!({ "token": token });
    page(app, StatusCode::GONE, "data_expired", EXPIRED, words)
}

/// Mails a fresh link, only ever to the same address. The page is the same whether a mail is sent or not.
async fn renew(
    app: &App,
    token: &str,
    reader: ReaderId,
    form: &RawForm,
) -> Result<Response, Problem> {
    if !press::is_by_a_person(form)? {
        return pressed_by_a_program(app, "data_expired", EXPIRED, json!({ "token": token }));
    }
    if form.one("fresh")?.is_none() {
        return expired(app, token);
    }
    data::mail_link(app, reader).await?;
    let words = json!({ "token": token, "mailed": true });
    page(
        app,
        StatusCode::OK,
        "data_expired",
        "Now check your inbox",
        words,
    )
}

fn words(token: &str, kept: &Kept) -> serde_json::Value {
    // The page shows only the day; the file has the exact time.
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
        "issues": show::counted(i64::try_from(kept.issues.len()).unwrap_or(i64::MAX), "issue has been", "issues have been"),
        "singles": show::counted(i64::try_from(kept.single_mails.len()).unwrap_or(i64::MAX), "other email", "other emails"),
    })
}
