//! `GET /c/{token}`: the invisible link at the start and the end of a mail with a poll. It leads to a harmless page.

use axum::extract::{Path, State};
use axum::response::Response;
use http::{HeaderMap, Method};
use serde_json::json;

use super::looks::from;
use super::visit::Target;
use super::{link, private};
use crate::app::App;
use crate::types::ReaderId;
use crate::web::{Client, Problem};

/// The page; it is the same for any valid token.
///
/// # Errors
/// 404 for an invalid token.
pub async fn page(
    State(app): State<App>,
    Path(token): Path<String>,
    method: Method,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (poll, issue, reader) =
        link::read_canary(&app.keys, &token).ok_or_else(Problem::not_found)?;
    if reader != ReaderId(0)
        && let Some(look) = from(&app, &method, &client, &headers, Target::Canary(poll))
    {
        app.polls.looks.note((issue, reader), look);
    }
    let page = json!({ "title": "Nothing to do here", "noindex": true });
    app.pages.render("polls/canary", &page).map(private)
}
