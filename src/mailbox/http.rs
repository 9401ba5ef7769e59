//! The pages of the mailbox.

use axum::extract::{FromRequestParts, Path, RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::HeaderMap;
use http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST};
use http::request::Parts;
use http::uri::Authority;
use serde_json::{Value, json};

use super::inert::{self, Images};
use super::letter::{self, Letter};
use super::store;
use crate::admin::{Editor, show};
use crate::app::App;
use crate::config::is_loopback_host;
use crate::db::entities::captured_mail;
use crate::newsletters;
use crate::types::CapturedMailId;
use crate::web::origin::{self, From};
use crate::web::{Problem, RawForm};

/// Mails per page of the list.
const PAGE: usize = 50;

/// How much of a mail's source a page shows, in bytes; the download has all of it.
const SHOWN: usize = 256 * 1024;

/// Headers that proxies add to a request.
const PASSED_ON: [&str; 4] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-real-ip",
];

/// Extractor for visitors who may read other people's mails: editors, or everybody if the server can be reached only
/// from its own machine, so that a demonstration needs no account. A request through a proxy may come from anywhere,
/// and one to another name from any site's page: its owner can give that name this machine's address (DNS rebinding).
pub struct Looker;

impl FromRequestParts<App> for Looker {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        if !app.config.is_loopback() || !is_local(&parts.headers) {
            Editor::from_request_parts(parts, app).await?;
        }
        Ok(Self)
    }
}

/// Whether a request was made to this machine by a name that only this machine has, and not passed on by a proxy.
fn is_local(headers: &HeaderMap) -> bool {
    let passed_on = |name| headers.contains_key(name);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    host.is_some_and(|host| is_loopback_host(host.host())) && !PASSED_ON.into_iter().any(passed_on)
}

/// A link back to the editors' pages.
fn way_back() -> Value {
    json!([{ "href": "/admin", "label": "Editors’ pages" }])
}

/// `GET /mailbox?to=…&before=…`
pub async fn list(
    State(app): State<App>,
    _: Looker,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = RawForm::parse(query.unwrap_or_default().as_bytes())?;
    let to = query.line("to")?;
    // An invalid cursor means the first page.
    let before = query.text("before")?.parse().ok().map(CapturedMailId);
    let mut mails = store::list(app.db.read(), &to, before, PAGE as i64 + 1).await?;
    let more = mails.len() > PAGE;
    mails.truncate(PAGE);
    let zone = newsletters::home_zone(app.db.read()).await?;
    let rows: Vec<Value> = mails
        .iter()
        .map(|mail| {
            json!({
                "id": mail.id, "to": mail.to, "subject": mail.subject,
                "at": show::time(mail.at, &zone),
            })
        })
        .collect();
    let older = mails.last().filter(|_| more).map(|last| {
        let last = last.id.0.to_string();
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("to", to.as_str()), ("before", &last)])
            .finish()
    });
    let page = json!({
        "title": "Mailbox", "nav": way_back(), "noindex": true, "stylesheet": "mailbox.css",
        "mails": rows, "to": to, "older": older, "paged": before.is_some(), "zone": zone.name(),
        "refresh": form_urlencoded::Serializer::new(String::new()).append_pair("to", &to).finish(),
    });
    app.pages.render("mailbox/list", &page)
}

/// `GET /mailbox/{id}?view=html|text|headers|source&images=remote`
pub async fn show(
    State(app): State<App>,
    _: Looker,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = RawForm::parse(query.unwrap_or_default().as_bytes())?;
    let mail = find(&app, &id).await?;
    let letter = Letter::parse(&mail.raw);
    let view = View::chosen(query.one("view")?.unwrap_or_default(), letter.as_ref());
    let readable = letter.is_some();
    let letter = letter.unwrap_or_default();
    let origin = app.config.origin();
    let zone = newsletters::home_zone(app.db.read()).await?;
    let mut page = json!({
        "title": if mail.subject.is_empty() { "(no subject)" } else { &mail.subject },
        "nav": way_back(), "noindex": true, "stylesheet": "mailbox.css",
        "id": mail.id, "readable": readable,
        "subject": letter.subject, "from": letter.from, "to": letter.to, "reply_to": letter.reply_to,
        "envelope_from": mail.envelope_from, "envelope_to": mail.envelope_to,
        "date": letter.date.map(|date| show::time(date, &zone)),
        "captured": show::time(mail.captured_ms, &zone),
        "tabs": tabs(view, readable),
        "unsubscribe": unsubscribe(&letter, &origin),
    });
    let shown = match view {
        View::Html => {
            let remote = images(&query)? == Images::Remote;
            json!({
                "missing": letter.html.is_none(),
                "remote": remote,
                "offer_remote": !remote && letter.html.is_some_and(|html| inert::has_remote_images(&html, &origin)),
                "sandbox": inert::SANDBOX,
            })
        }
        View::Text => {
            json!({ "missing": letter.text.is_none(), "pieces": letter::pieces(&letter.text.unwrap_or_default()) })
        }
        View::Headers => raw(letter::header(&mail.raw)),
        View::Source => raw(&mail.raw),
    };
    page[view.name()] = shown;
    app.pages.render("mailbox/mail", &page)
}

/// `GET /mailbox/{id}/html`: what the frame shows.
pub async fn html(
    State(app): State<App>,
    _: Looker,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let query = RawForm::parse(query.unwrap_or_default().as_bytes())?;
    let mail = find(&app, &id).await?;
    let html = Letter::parse(&mail.raw)
        .and_then(|letter| letter.html)
        .ok_or_else(Problem::not_found)?;
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (CONTENT_SECURITY_POLICY, inert::policy(images(&query)?)),
    ];
    Ok((headers, inert::page(&html)).into_response())
}

/// `GET /mailbox/{id}/source`: a download of the bytes as captured. Its type is text, so that no browser sniffs another
/// one.
pub async fn source(
    State(app): State<App>,
    _: Looker,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let mail = find(&app, &id).await?;
    let name = format!("attachment; filename=\"mail-{}.eml\"", mail.id.0);
    let headers = [
        (CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (CONTENT_DISPOSITION, name),
    ];
    Ok((headers, mail.raw).into_response())
}

/// `POST /mailbox/clear`
pub async fn clear(
    State(app): State<App>,
    _: Looker,
    headers: HeaderMap,
    _: RawForm,
) -> Result<Response, Problem> {
    // Test scripts send no origin, which is fine; sites that embed polls are not allowed here.
    match origin::of(&headers, &app.config.origin(), &[]) {
        From::Ours | From::Unknown => {}
        From::Embedder | From::Stranger => return Err(Problem::wrong_origin()),
    }
    let txn = app.db.write_txn("mailbox_clear").await?;
    store::clear(&txn).await?;
    txn.commit().await?;
    Ok(Redirect::to("/mailbox").into_response())
}

async fn find(app: &App, id: &str) -> Result<captured_mail::Model, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found())?;
    store::by_id(app.db.read(), CapturedMailId(id))
        .await?
        .ok_or_else(Problem::not_found)
}

fn images(query: &RawForm) -> Result<Images, Problem> {
    Ok(match query.one("images")? {
        Some("remote") => Images::Remote,
        _ => Images::Own,
    })
}

/// A way to look at a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    Html,
    Text,
    Headers,
    Source,
}

impl View {
    const ALL: [Self; 4] = [Self::Html, Self::Text, Self::Headers, Self::Source];

    fn name(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Text => "text",
            Self::Headers => "headers",
            Self::Source => "source",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Html => "HTML",
            Self::Text => "Text",
            Self::Headers => "Headers",
            Self::Source => "Source",
        }
    }

    /// The view that was asked for, or else the best available. Bytes that are not a mail have only their source.
    fn chosen(name: &str, letter: Option<&Letter>) -> Self {
        let Some(letter) = letter else {
            return Self::Source;
        };
        let asked = Self::ALL.into_iter().find(|view| view.name() == name);
        asked.unwrap_or(match (&letter.html, &letter.text) {
            (Some(_), _) => Self::Html,
            (None, Some(_)) => Self::Text,
            (None, None) => Self::Source,
        })
    }
}

fn tabs(chosen: View, readable: bool) -> Vec<Value> {
    View::ALL
        .into_iter()
        .filter(|view| readable || *view == View::Source)
        .map(
            |view| json!({ "name": view.name(), "label": view.label(), "current": view == chosen }),
        )
        .collect()
}

/// The first [`SHOWN`] bytes as text.
fn raw(bytes: &[u8]) -> Value {
    let cut = bytes.len() > SHOWN;
    let shown = &bytes[..bytes.len().min(SHOWN)];
    json!({ "text": String::from_utf8_lossy(shown), "cut": cut })
}

/// What a mail client makes of `List-Unsubscribe`: a button if the URL is ours. Others are shown as text, because a
/// form here must not post to other hosts.
fn unsubscribe(letter: &Letter, origin: &str) -> Value {
    let ours = |url: &String| {
        let path = url.strip_prefix(origin)?;
        (path.starts_with('/') && !path.starts_with("//")).then(|| path.to_owned())
    };
    let own = letter.unsubscribe.iter().find_map(ours);
    let others: Vec<&String> = letter
        .unsubscribe
        .iter()
        .filter(|url| ours(url).is_none())
        .collect();
    if own.is_none() && others.is_empty() {
        return Value::Null;
    }
    json!({ "own": own, "one_click": letter.one_click, "others": others })
}
