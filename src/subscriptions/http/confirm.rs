//! `/confirm/{token}`: the link in the confirmation mail. Only its button changes anything.

use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{page, pressed_by_a_program, span, unknown_link};
use crate::app::App;
use crate::digests;
use crate::newsletters::Newsletter;
use crate::polls::{self, WaitingAnswer};
use crate::subscriptions::Beside;
use crate::subscriptions::confirm::{self, Confirmed, Link};
use crate::subscriptions::{links, sign_in};
use crate::types::ReaderId;
use crate::web::origin::{self, From};
use crate::web::{Client, Problem, RawForm, press};

const EXPIRED: &str = "This link has expired";
const FORGOTTEN: &str = "It may be incomplete, or so old that we have deleted it. If you have already confirmed, all is well: you are subscribed.";

/// The query string of the link.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Linked {
    /// The answer to a poll that waits for its reader's confirmation, see [`polls::waiting_answer`].
    answer: String,
}

/// `GET`
pub async fn show(
    State(app): State<App>,
    Path(token): Path<String>,
    Query(linked): Query<Linked>,
) -> Result<Response, Problem> {
    let answer = linked.answer;
    match confirm::look(&app, &token).await? {
        Link::Open(newsletter) => page(
            &app,
            StatusCode::OK,
            "confirm",
            &format!("Subscribe to {}", newsletter.name),
            words_with(&app, &newsletter, &token, &answer).await?,
        ),
        Link::Done(newsletter, true) => {
            let read = can_be_read(&app, &newsletter).await?;
            done(&app, &newsletter, read, None, None)
        }
        Link::Done(newsletter, false) => ended(&app, &newsletter),
        Link::Expired(newsletter) => {
            let words = expired_words(&app, &newsletter, &token, &answer).await?;
            page(&app, StatusCode::GONE, "confirm_expired", EXPIRED, words)
        }
        Link::Unknown => unknown_link(&app, FORGOTTEN),
    }
}

/// `POST`. Other sites must not send it: with a link of its own, another site could sign a visitor's browser in as
/// somebody else.
pub async fn submit(
    State(app): State<App>,
    client: Client,
    Path(token): Path<String>,
    headers: HeaderMap,
    form: RawForm,
) -> Result<Response, Problem> {
    let from = origin::refuse_strangers(&headers, &app.config.origin())?;
    let answer = form.one("answer")?.unwrap_or_default();
    let link = form.one("link")?.is_some();
    if !press::is_by_a_person(&form)? {
        return match confirm::look(&app, &token).await? {
            Link::Open(newsletter) => {
                let title = format!("Subscribe to {}", newsletter.name);
                let mut words = words_with(&app, &newsletter, &token, answer).await?;
                words["agreed"] = link.into();
                pressed_by_a_program(&app, "confirm", &title, words)
            }
            Link::Expired(newsletter) => pressed_by_a_program(
                &app,
                "confirm_expired",
                EXPIRED,
                expired_words(&app, &newsletter, &token, answer).await?,
            ),
            Link::Done(newsletter, true) => {
                let read = can_be_read(&app, &newsletter).await?;
                done(&app, &newsletter, read, None, None)
            }
            Link::Done(newsletter, false) => ended(&app, &newsletter),
            Link::Unknown => unknown_link(&app, FORGOTTEN),
        };
    }
    if form.one("fresh")?.is_some() {
        return renew(&app, &client, &token, answer).await;
    }
    match confirm::confirm(&app, &token).await? {
        Confirmed::Now(newsletter, reader) => {
            let counted = polls::count_as_readers(&app, answer, reader, link).await?;
            let read = can_be_read(&app, &newsletter).await?;
            let mut response = done(&app, &newsletter, read, Some(reader), counted)?;
            // Only if our own page certainly sent this.
            let cookie = (from == From::Ours).then(|| sign_in::sign_in(&app, reader));
            if let Some(cookie) = cookie.flatten() {
                response.headers_mut().append(SET_COOKIE, cookie);
            }
            Ok(response)
        }
        Confirmed::Before(newsletter, _, false) => ended(&app, &newsletter),
        // The process may have stopped between the confirmation and counting the answer, so count it now.
        Confirmed::Before(newsletter, reader, true) => {
            let counted = match reader {
                Some(reader) => polls::count_as_readers(&app, answer, reader, link).await?,
                None => None,
            };
            let read = can_be_read(&app, &newsletter).await?;
            done(&app, &newsletter, read, None, counted)
        }
        Confirmed::Expired(newsletter) => {
            let words = expired_words(&app, &newsletter, &token, answer).await?;
            page(&app, StatusCode::GONE, "confirm_expired", EXPIRED, words)
        }
        Confirmed::Refused(newsletter) => {
            let title = "We cannot email this address";
            let mut words = words(&newsletter, &token);
            words["write_to"] = newsletter.answers_to().into();
            page(&app, StatusCode::CONFLICT, "confirm_refused", title, words)
        }
        Confirmed::Unknown => unknown_link(&app, FORGOTTEN),
    }
}

async fn renew(app: &App, client: &Client, token: &str, answer: &str) -> Result<Response, Problem> {
    app.limits.subscriptions.check(&client.network())?;
    let beside = polls::waiting_answer(app, answer)
        .await?
        .map(|waiting| Beside {
            token: answer.to_owned(),
            question: waiting.question,
            poll: waiting.poll,
        });
    let Some(newsletter) = confirm::renew(app, token, beside).await? else {
        return unknown_link(app, FORGOTTEN);
    };
    let mut words = words(&newsletter, token);
    words["pause"] = span(app.config.subscriptions.confirm_pause_minutes, "minute").into();
    words["valid_for"] = span(app.config.subscriptions.confirm_days, "day").into();
    page(
        app,
        StatusCode::OK,
        "confirm_renewed",
        "Now check your inbox",
        words,
    )
}

/// Whether there is a past issue on the web, so that no link leads to an empty page.
async fn can_be_read(app: &App, newsletter: &Newsletter) -> Result<bool, Problem> {
    Ok(newsletter.archive && digests::has_past_issues(app, newsletter.id).await?)
}

/// The page after a confirmation. `read`: the archive has something to read. `reader`: the reader who has just
/// confirmed. `counted`: the poll whose answer now counts as theirs.
fn done(
    app: &App,
    newsletter: &Newsletter,
    read: bool,
    reader: Option<ReaderId>,
    counted: Option<WaitingAnswer>,
) -> Result<Response, Problem> {
    let mut words = words(newsletter, "");
    if let Some(counted) = counted {
        words["question"] = counted.question.into();
        words["linked"] = counted.linking.is_some().into();
        words["results"] = format!("/p/{}/results", counted.slug).into();
    }
    words["again"] = reader.is_none().into();
    words["archive"] = read.into();
    words["manage"] = reader
        .map(|reader| links::manage_token(&app.keys, reader))
        .into();
    let title = format!("You are subscribed to {}", newsletter.name);
    page(app, StatusCode::OK, "confirmed", &title, words)
}

/// The page for a subscription that was confirmed and has ended since: its old link does not bring it back.
fn ended(app: &App, newsletter: &Newsletter) -> Result<Response, Problem> {
    let title = format!("You no longer receive {}", newsletter.name);
    page(
        app,
        StatusCode::OK,
        "confirm_ended",
        &title,
        words(newsletter, ""),
    )
}

async fn expired_words(
    app: &App,
    newsletter: &Newsletter,
    token: &str,
    answer: &str,
) -> Result<Value, Problem> {
    let mut words = words_with(app, newsletter, token, answer).await?;
    words["valid_for"] = span(app.config.subscriptions.confirm_days, "day").into();
    Ok(words)
}

/// The words of the page, with the question of the answer that waits for its reader, if there is one.
async fn words_with(
    app: &App,
    newsletter: &Newsletter,
    token: &str,
    answer: &str,
) -> Result<Value, Problem> {
    let mut words = words(newsletter, token);
    if let Some(waiting) = polls::waiting_answer(app, answer).await? {
        words["question"] = waiting.question.into();
        words["linking"] = waiting.linking.into();
        words["answer"] = answer.into();
    }
    Ok(words)
}

fn words(newsletter: &Newsletter, token: &str) -> Value {
    json!({
        "newsletter": newsletter.name,
        "slug": newsletter.slug,
        "accent_sheet": newsletter.accent_sheet(),
        "token": token,
    })
}

/// How long requests are kept after their link has expired, so that it can be renewed with one tap.
pub(in crate::subscriptions) const KEPT_AFTER_EXPIRY: Duration =
    Duration::from_secs(30 * 24 * 60 * 60);
