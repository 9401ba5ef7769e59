//! The mailbox's pages. All of them only show.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde::{Deserialize, Serialize};

use super::store;
use crate::app::App;
use crate::mailer::mime::View;
use crate::mailer::transport::Transport;
use crate::types::UnixMillis;
use crate::web::Problem;

/// What a captured mail may do: look as it was written. Nothing runs, nothing is sent, nobody else frames it.
const MAIL_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:; \
     base-uri 'self'; form-action 'none'; frame-ancestors 'self'; \
     sandbox allow-top-navigation-by-user-activation allow-popups allow-popups-to-escape-sandbox";

/// The ways to look at a mail.
const WAYS: [(&str, &str); 4] = [
    ("html", "As a mail"),
    ("text", "Plain text"),
    ("headers", "Headers"),
    ("source", "Source"),
];

/// The URLs.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/mailbox", get(list))
        .route("/mailbox/{mail}", get(mail))
        .route("/mailbox/{mail}/html", get(html))
}

#[derive(Deserialize)]
struct Before {
    before: Option<i64>,
}

#[derive(Deserialize)]
struct Show {
    show: Option<String>,
}

#[derive(Serialize)]
struct Entry {
    id: i64,
    to: String,
    subject: String,
    at: String,
}

async fn list(State(app): State<App>, Query(query): Query<Before>) -> Result<Response, Problem> {
    only_with_mailbox(&app)?;
    let mut lines = store::newest(&app.db, query.before.unwrap_or(i64::MAX)).await?;
    let more = lines.len() > store::PAGE;
    lines.truncate(store::PAGE);
    let older = lines.last().filter(|_| more).map(|line| line.id);
    let mails: Vec<Entry> = lines
        .into_iter()
        .map(|line| Entry {
            id: line.id,
            to: line.to,
            subject: or(line.subject, "(no subject)"),
            at: when(line.at),
        })
        .collect();
    let page = serde_json::json!({
        "title": "Mailbox", "noindex": true, "mails": mails, "older": older,
        "newest": query.before.is_some(),
    });
    app.pages.render("mailbox/list", &page)
}

async fn mail(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(query): Query<Show>,
) -> Result<Response, Problem> {
    let (id, raw, at) = find(&app, &id).await?;
    let view = View::of(&raw);
    let asked = query.show.unwrap_or_default();
    let show = WAYS
        .iter()
        .map(|(name, _)| *name)
        .find(|name| *name == asked);
    let show = show.unwrap_or("html");
    let tabs: Vec<_> = WAYS
        .iter()
        .map(|(name, label)| serde_json::json!({"name": name, "label": label, "current": *name == show}))
        .collect();
    let headers: Vec<_> = view
        .headers
        .iter()
        .map(|(name, value)| serde_json::json!({"name": name, "value": value}))
        .collect();
    let page = serde_json::json!({
        "title": or(view.subject, "(no subject)"), "noindex": true, "id": id, "from": view.from,
        "to": view.to, "at": when(at), "tabs": tabs, "html": show == "html",
        "text": (show == "text").then_some(view.text),
        "headers": (show == "headers").then_some(headers),
        "source": (show == "source").then(|| String::from_utf8_lossy(&raw).into_owned()),
    });
    app.pages.render("mailbox/mail", &page)
}

/// The HTML part itself, for the frame.
async fn html(State(app): State<App>, Path(id): Path<String>) -> Result<Response, Problem> {
    let (_, raw, _) = find(&app, &id).await?;
    let html = View::of(&raw).html;
    // Links leave the frame, so that what they open is a page and not a picture of one.
    let html = match html.find("<head>") {
        Some(head) => {
            let (before, after) = html.split_at(head + "<head>".len());
            format!("{before}<base target=\"_top\">{after}")
        }
        None => format!("<base target=\"_top\">{html}"),
    };
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, MAIL_POLICY),
    ];
    Ok((headers, html).into_response())
}

fn only_with_mailbox(app: &App) -> Result<(), Problem> {
    match app.transport {
        Transport::Mailbox => Ok(()),
        _ => Err(Problem::not_found()),
    }
}

async fn find(app: &App, id: &str) -> Result<(i64, Vec<u8>, UnixMillis), Problem> {
    only_with_mailbox(app)?;
    let id: i64 = id.parse().map_err(|_| Problem::not_found())?;
    let (raw, at) = store::mail(&app.db, id)
        .await?
        .ok_or_else(Problem::not_found)?;
    Ok((id, raw, at))
}

fn or(text: String, otherwise: &str) -> String {
    if text.is_empty() {
        otherwise.to_owned()
    } else {
        text
    }
}

fn when(at: UnixMillis) -> String {
    at.timestamp()
        .strftime("%-d %B %Y, %H:%M:%S UTC")
        .to_string()
}
