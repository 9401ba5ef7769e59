//! How a problem is presented: a page with a link to go on for people, JSON for scripts.

use axum::extract::Request;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::Problem;
use crate::web::Pages;

/// The problem that a response stands for, if its body still has to be written.
fn problem_of(response: &mut Response) -> Option<Problem> {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        return Some(problem);
    }
    let written = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|v| v.starts_with("text/html") || v.contains("json"));
    let status = response.status();
    ((status.is_client_error() || status.is_server_error()) && !written)
        .then(|| Problem::from_status(status))
}

/// The audience for error responses.
#[derive(Clone, Debug)]
pub enum Readers {
    /// People get a page.
    People(Pages),
    /// Scripts get `application/problem+json`.
    Scripts,
    /// Machines that look only at the status.
    Nobody,
}

impl Readers {
    /// Writes the body of a problem, keeping the status and headers that were set (Allow, Retry-After).
    pub(in crate::web) fn write_out(&self, mut response: Response, asked: Asked) -> Response {
        let Some(problem) = problem_of(&mut response) else {
            return response;
        };
        let (content_type, body) = match self {
            Self::People(pages) => page(pages, problem, asked),
            Self::Scripts => problem.json(),
            Self::Nobody => return response,
        };
        let (mut parts, _) = response.into_parts();
        parts.headers.remove(CONTENT_LENGTH);
        parts
            .headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Response::from_parts(parts, body.into())
    }
}

/// What was requested, as far as it decides which link the error page offers.
#[derive(Clone, Debug)]
pub(in crate::web) struct Asked {
    /// A form was sent: opening the address again would not send it.
    sent: bool,
    /// The page belongs to the editors' part.
    editor: bool,
    /// The list that the requested item would be in, and the text of the link to it.
    list: Option<(&'static str, &'static str)>,
    /// The page of the item that a form was about, and the text of the link to it.
    item: Option<(String, &'static str)>,
}

/// The lists in the editors' part, and the texts of the links to them and to one of their items.
const LISTS: [(&str, &str, &str); 3] = [
    ("/admin/issues", "All issues", "To the issue"),
    ("/admin/polls", "All polls", "To the poll"),
    ("/admin/readers", "All readers", "To the reader"),
];

impl Asked {
    pub(in crate::web) fn of(request: &Request) -> Self {
        let path = request.uri().path();
        let list = LISTS.into_iter().find(|(list, ..)| path.starts_with(list));
        Self {
            sent: !request.method().is_safe(),
            editor: path.starts_with("/admin"),
            list: list.map(|(list, all, _)| (list, all)),
            item: list.and_then(|(list, _, one)| Some((item(path, list)?, one))),
        }
    }
}

/// The address of the item of `list` that `path` is about.
fn item(path: &str, list: &str) -> Option<String> {
    let inside = path.strip_prefix(list)?.strip_prefix('/')?;
    let name = inside.split('/').next().filter(|name| !name.is_empty())?;
    Some(format!("{list}/{name}"))
}

/// The text of the link to the editors' first page.
const OVERVIEW: &str = "To the overview";

/// Renders the error page, which always offers a link to go on.
fn page(pages: &Pages, problem: Problem, asked: Asked) -> (&'static str, String) {
    let home = if asked.editor { "/admin" } else { "/" };
    let later = matches!(problem.status.as_u16(), 408 | 429 | 500..=599);
    // If a reader's form was refused because of its origin, our own page with that form is at the same address.
    let here = problem.kind == "canvass:wrong-origin" && !asked.editor;
    let item = asked.item.as_ref();
    let back = item.map(|(item, _)| item.as_str());
    let back = back.or_else(|| asked.list.map(|(list, _)| list));
    let sign_in = back.map_or("/admin/sign-in".to_owned(), |back| {
        let back = utf8_percent_encode(back, NON_ALPHANUMERIC);
        format!("/admin/sign-in?next={back}")
    });
    let (href, label) = match problem.status {
        StatusCode::UNAUTHORIZED if asked.editor => (sign_in.as_str(), "Sign in"),
        _ if here => ("", "Open the page here"),
        _ if later && !asked.sent => ("", "Open this page again"),
        StatusCode::NOT_FOUND if asked.list.is_some() => asked.list.unwrap_or_default(),
        StatusCode::CONFLICT | StatusCode::FORBIDDEN if asked.editor => {
            item.map_or((home, OVERVIEW), |(href, label)| (href.as_str(), *label))
        }
        _ if asked.editor => (home, OVERVIEW),
        _ => (home, "Go to the front page"),
    };
    let context = serde_json::json!({
        "status": problem.status.as_u16(),
        "title": problem.title,
        "detail": problem.detail,
        "errors": problem.errors,
        "kept": problem.kept,
        "href": href,
        "label": label,
        // Reloading makes the browser send the form again, with everything that was typed.
        "send_again": later && asked.sent,
        "home": home,
        "noindex": true,
        "narrow": true,
    });
    let template = if asked.editor {
        "problem_editor"
    } else {
        "problem"
    };
    match pages.html(template, &context) {
        Ok(body) => ("text/html; charset=utf-8", body),
        Err(_) => ("text/plain; charset=utf-8", problem.detail),
    }
}
