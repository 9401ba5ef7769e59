//! `/unsubscribe/{token}`: the link in every issue, and the target of its `List-Unsubscribe` header.
//!
//! RFC 8058: a mail client posts `List-Unsubscribe=One-Click`, as a form in either encoding, without cookies, login or
//! redirects, perhaps twice. So every POST that does not say "undo" stops the mails. A GET never does, because scanners
//! follow every link.

use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};

use super::{page, pressed_by_a_program, unknown_link};
use crate::app::App;
use crate::subscriptions::leave::{self, Relation};
use crate::subscriptions::links;
use crate::types::{NewsletterId, ReaderId};
use crate::web::forms::{bounded_bytes, has_type};
use crate::web::{Problem, RawForm, press};

const BROKEN: &str = "It may be incomplete, or what it led to has been erased.";

/// `GET`
pub async fn show(State(app): State<App>, Path(token): Path<String>) -> Result<Response, Problem> {
    let Some((newsletter, reader)) = links::open_unsubscribe(&app.keys, &token) else {
        return unknown_link(&app, BROKEN);
    };
    let Some(relation) = leave::look(&app, newsletter, reader).await? else {
        return unknown_link(&app, BROKEN);
    };
    if relation.receives {
        let title = format!("Unsubscribe from {}?", relation.newsletter.name);
        return say(&app, "unsubscribe", &title, &relation, &token);
    }
    gone(&app, &relation, &token, false)
}

/// `POST`
pub async fn submit(
    State(app): State<App>,
    Path(token): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let Some((newsletter, reader)) = links::open_unsubscribe(&app.keys, &token) else {
        return unknown_link(&app, BROKEN);
    };
    let is_form = has_type(&request, "application/x-www-form-urlencoded");
    let body = bounded_bytes(request, &app).await?;
    // A body that cannot be parsed does not say "undo".
    let form = RawForm::parse(&body).ok().filter(|_| is_form);
    let by_a_program = |form: &RawForm| !press::is_by_a_person(form).unwrap_or(true);
    if form.as_ref().is_some_and(by_a_program) {
        return not_pressed(&app, newsletter, reader, &token).await;
    }
    let action = form
        .as_ref()
        .and_then(|form| form.one("action").ok().flatten());
    match action {
        Some("undo") => undo(&app, newsletter, reader, &token).await,
        Some(_) => stop(&app, newsletter, reader, &token, "page").await,
        None => stop(&app, newsletter, reader, &token, "one-click").await,
    }
}

/// The reply to our own page's form if a program sent it. One-click unsubscribing does not come through here, since
/// mail clients never load the page.
async fn not_pressed(
    app: &App,
    newsletter: NewsletterId,
    reader: ReaderId,
    token: &str,
) -> Result<Response, Problem> {
    let Some(relation) = leave::look(app, newsletter, reader).await? else {
        return unknown_link(app, BROKEN);
    };
    let name = &relation.newsletter.name;
    let (page, title) = if relation.receives {
        ("unsubscribe", format!("Unsubscribe from {name}?"))
    } else {
        ("unsubscribed", format!("You no longer receive {name}"))
    };
    pressed_by_a_program(app, page, &title, words(&relation, token))
}

async fn stop(
    app: &App,
    newsletter: NewsletterId,
    reader: ReaderId,
    token: &str,
    how: &str,
) -> Result<Response, Problem> {
    leave::leave(app, newsletter, reader, how).await?;
    match leave::look(app, newsletter, reader).await? {
        Some(relation) => gone(app, &relation, token, false),
        None => unknown_link(app, BROKEN),
    }
}

async fn undo(
    app: &App,
    newsletter: NewsletterId,
    reader: ReaderId,
    token: &str,
) -> Result<Response, Problem> {
    let done = leave::undo(app, newsletter, reader).await?;
    match leave::look(app, newsletter, reader).await? {
        Some(relation) if done => {
            let title = format!("You will keep receiving {}", relation.newsletter.name);
            say(app, "resubscribed", &title, &relation, token)
        }
        Some(relation) => gone(app, &relation, token, true),
        None => unknown_link(app, BROKEN),
    }
}

/// `too_late`: an undo was asked for, and is not possible any more.
fn gone(app: &App, relation: &Relation, token: &str, too_late: bool) -> Result<Response, Problem> {
    let title = format!("You no longer receive {}", relation.newsletter.name);
    let mut words = words(relation, token);
    words["too_late"] = (too_late && !relation.can_undo).into();
    page(app, StatusCode::OK, "unsubscribed", &title, words)
}

fn say(
    app: &App,
    name: &str,
    title: &str,
    relation: &Relation,
    token: &str,
) -> Result<Response, Problem> {
    page(app, StatusCode::OK, name, title, words(relation, token))
}

fn words(relation: &Relation, token: &str) -> Value {
    json!({
        "newsletter": relation.newsletter.name,
        "slug": relation.newsletter.slug,
        "accent_sheet": relation.newsletter.accent_sheet(),
        "undo": relation.can_undo,
        "token": token,
    })
}
