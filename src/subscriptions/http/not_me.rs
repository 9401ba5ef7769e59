//! `/not-me`: signs out a browser that is signed in as another reader.

use axum::extract::{Query, State};
use axum::response::Response;
use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::page;
use crate::app::App;
use crate::polls;
use crate::subscriptions::sign_in;
use crate::web::{Problem, RawForm, origin};

/// Where the visitor came from.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Came {
    poll: String,
}

/// `GET`
pub async fn show(State(app): State<App>, Query(came): Query<Came>) -> Result<Response, Problem> {
    let title = "Not your browser?";
    page(&app, StatusCode::OK, "not_me", title, words(&came.poll))
}

/// `POST`: signs the browser out. No subscription changes.
pub async fn submit(
    State(app): State<App>,
    headers: HeaderMap,
    form: RawForm,
) -> Result<Response, Problem> {
    origin::refuse_strangers(&headers, &app.config.origin())?;
    let words = words(form.one("poll")?.unwrap_or_default());
    let mut response = page(
        &app,
        StatusCode::OK,
        "forgotten",
        "This browser no longer belongs to anyone",
        words,
    )?;
    let ended = sign_in::sign_out(&app).into_iter();
    for cookie in ended.chain(polls::forget_reader(&app, &headers)) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// The words of the page, with the poll to go back to if `poll` can be the name of one.
fn words(poll: &str) -> Value {
    json!({ "poll": polls::is_slug(poll).then_some(poll) })
}
