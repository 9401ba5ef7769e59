//! The readers' pages: each has one task and one button, and needs no script and no login.
//!
//! `subscribe`, `confirm`, `manage`, `unsubscribe`, `data`, `not_me`: one file for each page, named as in its URL.

mod confirm;
mod data;
mod manage;
mod not_me;
mod subscribe;
mod unsubscribe;

pub(super) use confirm::KEPT_AFTER_EXPIRY;
pub use subscribe::{agreed, is_current};

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use serde_json::{Value, json};

use crate::app::App;
use crate::web::pages::Templates;
use crate::web::{Problem, press};

/// The templates of these pages.
pub const PAGES: Templates = &[
    (
        "subscriptions/subscribe",
        include_str!("../pages/subscribe.hbs"),
    ),
    (
        "subscriptions/subscribe_sent",
        include_str!("../pages/subscribe_sent.hbs"),
    ),
    (
        "subscriptions/confirm",
        include_str!("../pages/confirm.hbs"),
    ),
    (
        "subscriptions/confirmed",
        include_str!("../pages/confirmed.hbs"),
    ),
    (
        "subscriptions/confirm_ended",
        include_str!("../pages/confirm_ended.hbs"),
    ),
    (
        "subscriptions/confirm_expired",
        include_str!("../pages/confirm_expired.hbs"),
    ),
    (
        "subscriptions/confirm_renewed",
        include_str!("../pages/confirm_renewed.hbs"),
    ),
    (
        "subscriptions/confirm_refused",
        include_str!("../pages/confirm_refused.hbs"),
    ),
    (
        "subscriptions/link_unknown",
        include_str!("../pages/link_unknown.hbs"),
    ),
    (
        "subscriptions/unsubscribe",
        include_str!("../pages/unsubscribe.hbs"),
    ),
    (
        "subscriptions/unsubscribed",
        include_str!("../pages/unsubscribed.hbs"),
    ),
    (
        "subscriptions/resubscribed",
        include_str!("../pages/resubscribed.hbs"),
    ),
    ("subscriptions/manage", include_str!("../pages/manage.hbs")),
    ("subscriptions/data", include_str!("../pages/data.hbs")),
    (
        "subscriptions/data_expired",
        include_str!("../pages/data_expired.hbs"),
    ),
    ("subscriptions/not_me", include_str!("../pages/not_me.hbs")),
    (
        "subscriptions/forgotten",
        include_str!("../pages/forgotten.hbs"),
    ),
    ("subscriptions/erased", include_str!("../pages/erased.hbs")),
];

/// The routes of readers' subscriptions.
pub fn routes() -> Router<App> {
    let unsubscribe = get(unsubscribe::show).post(unsubscribe::submit);
    Router::new()
        .route(
            "/subscribe/{newsletter}",
            get(subscribe::show).post(subscribe::submit),
        )
        .route("/confirm/{token}", get(confirm::show).post(confirm::submit))
        .route("/unsubscribe/{token}", unsubscribe.clone())
        // For List-Unsubscribe, which must fit on one line.
        .route("/u/{token}", unsubscribe)
        .route("/data/{token}", get(data::show).post(data::submit))
        .route("/data/{token}/file", get(data::file))
        .route("/manage/{token}", get(manage::show).post(manage::submit))
        .route("/not-me", get(not_me::show).post(not_me::submit))
}

/// A page with this status; the words of its frame are added.
fn page(
    app: &App,
    status: StatusCode,
    name: &str,
    title: &str,
    mut words: Value,
) -> Result<Response, Problem> {
    words["title"] = title.into();
    words["noindex"] = true.into();
    let mut response = app.pages.render(&format!("subscriptions/{name}"), &words)?;
    *response.status_mut() = status;
    Ok(response.into_response())
}

/// Shows a page again after a program pressed its button: a person then ticks a box and presses once more.
fn pressed_by_a_program(
    app: &App,
    name: &str,
    title: &str,
    mut words: Value,
) -> Result<Response, Problem> {
    words["ask_person"] = true.into();
    words["again"] = press::AGAIN.into();
    page(app, StatusCode::CONFLICT, name, title, words)
}

/// The page for a link that is not ours, was altered, or belongs to something long deleted.
fn unknown_link(app: &App, detail: &str) -> Result<Response, Problem> {
    page(
        app,
        StatusCode::NOT_FOUND,
        "link_unknown",
        "Unknown link",
        json!({ "detail": detail }),
    )
}

/// "7 days", "10 minutes".
fn span(count: u64, unit: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}
