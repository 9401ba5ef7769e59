//! `/confirm/{token}`: the link in the confirmation mail. Looking changes nothing; the button does.

use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use http::header::SET_COOKIE;
use serde_json::{Value, json};

use super::{page, pressed_by_a_program, span, unknown_link};
use crate::app::App;
use crate::newsletters::Newsletter;
use crate::subscriptions::confirm::{self, Confirmed, Link};
use crate::subscriptions::{links, sign_in};
use crate::types::ReaderId;
use crate::web::{Client, Problem, RawForm, press};

const EXPIRED: &str = "This link has expired";
const FORGOTTEN: &str = "It may be cut off, or so old that it was forgotten. If you have confirmed before, all is well: you are subscribed.";

/// `GET`
pub async fn show(State(app): State<App>, Path(token): Path<String>) -> Result<Response, Problem> {
    match confirm::look(&app, &token).await? {
        Link::Open(newsletter) => page(
            &app,
            StatusCode::OK,
            "confirm",
            &format!("Subscribe to {}", newsletter.name),
            words(&newsletter, &token),
        ),
        Link::Done(newsletter) => done(&app, &newsletter, None),
        Link::Expired(newsletter) => expired(&app, &newsletter, &token),
        Link::Unknown => unknown_link(&app, FORGOTTEN),
    }
}

/// `POST`
pub async fn submit(
    State(app): State<App>,
    client: Client,
    Path(token): Path<String>,
    form: RawForm,
) -> Result<Response, Problem> {
    if !press::is_by_a_person(&form)? {
        return match confirm::look(&app, &token).await? {
            Link::Open(newsletter) => pressed_by_a_program(
                &app,
                "confirm",
                &format!("Subscribe to {}", newsletter.name),
                words(&newsletter, &token),
            ),
            Link::Expired(newsletter) => pressed_by_a_program(
                &app,
                "confirm_expired",
                EXPIRED,
                expired_words(&app, &newsletter, &token),
            ),
            Link::Done(newsletter) => done(&app, &newsletter, None),
            Link::Unknown => unknown_link(&app, FORGOTTEN),
        };
    }
    if form.one("fresh")?.is_some() {
        return renew(&app, &client, &token).await;
    }
    match confirm::confirm(&app, &token).await? {
        Confirmed::Now(newsletter, reader) => done(&app, &newsletter, Some(reader)),
        Confirmed::Before(newsletter) => done(&app, &newsletter, None),
        Confirmed::Expired(newsletter) => expired(&app, &newsletter, &token),
        Confirmed::Refused(newsletter) => page(
            &app,
            StatusCode::CONFLICT,
            "confirm_refused",
            "We may not mail this address",
            words(&newsletter, &token),
        ),
        Confirmed::Unknown => unknown_link(&app, FORGOTTEN),
    }
}

async fn renew(app: &App, client: &Client, token: &str) -> Result<Response, Problem> {
    app.limits.subscriptions.check(&client.network())?;
    let Some(newsletter) = confirm::renew(app, token).await? else {
        return unknown_link(app, FORGOTTEN);
    };
    let mut words = words(&newsletter, token);
    words["pause"] = span(app.config.subscriptions.confirm_pause_minutes, "minute").into();
    words["valid_for"] = span(app.config.subscriptions.confirm_days, "day").into();
    page(
        app,
        StatusCode::OK,
        "confirm_renewed",
        "Now look into your inbox",
        words,
    )
}

/// `reader`: who has confirmed just now, and is signed in to the archive with it.
fn done(app: &App, newsletter: &Newsletter, reader: Option<ReaderId>) -> Result<Response, Problem> {
    let mut words = words(newsletter, "");
    words["again"] = reader.is_none().into();
    words["archive"] = newsletter.archive.into();
    words["manage"] = reader
        .map(|reader| links::manage_token(&app.keys, reader))
        .into();
    let title = format!("You are subscribed to {}", newsletter.name);
    let mut response = page(app, StatusCode::OK, "confirmed", &title, words)?;
    if let Some(cookie) = reader.and_then(|reader| sign_in::sign_in(app, reader)) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

fn expired(app: &App, newsletter: &Newsletter, token: &str) -> Result<Response, Problem> {
    let words = expired_words(app, newsletter, token);
    page(app, StatusCode::GONE, "confirm_expired", EXPIRED, words)
}

fn expired_words(app: &App, newsletter: &Newsletter, token: &str) -> Value {
    let mut words = words(newsletter, token);
    words["valid_for"] = span(app.config.subscriptions.confirm_days, "day").into();
    words
}

fn words(newsletter: &Newsletter, token: &str) -> Value {
    json!({
        "newsletter": newsletter.name,
        "slug": newsletter.slug,
        "lang": newsletter.language,
        "token": token,
    })
}

/// Requests are kept so long after their link has expired, so that it can be renewed with one tap.
pub(in crate::subscriptions) const KEPT_AFTER_EXPIRY: Duration =
    Duration::from_secs(30 * 24 * 60 * 60);
