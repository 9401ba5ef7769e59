//! The data from which the module draws a poll if the page has no form.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, Method};
use serde::Serialize;

use super::height::height;
use super::paste::{DRAWN, SMALL_PRINT};
use crate::app::App;
use crate::polls::asking::{allow_embedding, public_poll};
use crate::polls::form::{FormView, form};
use crate::polls::model::{Phase, Place, Poll};
use crate::polls::results::{BY_INVITATION, Results, closed, hidden_reason, stream_of, visible};
use crate::polls::trust;
use crate::web::{Client, Problem};

#[derive(Debug, Serialize)]
struct Data {
    open: bool,
    /// The height of the iframe that is used if the module cannot draw the form.
    height: u32,
    /// The form to draw, while the poll is open.
    #[serde(flatten)]
    form: FormView,
    results: Option<Results>,
    /// Where below the poll's URL the results can be followed, if they can.
    live: Option<String>,
    /// The text to show if there is neither a form nor results.
    message: String,
    small_print: &'static str,
    /// The other texts of a form that the module draws.
    words: BTreeMap<&'static str, &'static str>,
}

/// `GET /embed/p/{poll}/data`
///
/// # Errors
/// 404 for an unknown poll or a draft.
pub async fn data(
    State(app): State<App>,
    Path(slug): Path<String>,
    method: Method,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let poll = public_poll(&app, &slug).await?;
    let phase = poll.phase(app.clock.now());
    seen(&app, &poll, phase, &method, &client);
    let form = form(&app, &poll).await?;
    let data = Data {
        open: poll.is_open_to_all(app.clock.now()),
        height: height(&poll),
        form,
        results: visible(&app, &poll, false, None).await?,
        live: stream_of(&app, &poll, false),
        message: said_without(&poll, phase),
        small_print: SMALL_PRINT,
        words: BTreeMap::from(DRAWN),
    };
    let mut response = axum::Json(data).into_response();
    response.headers_mut().insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=10"),
    );
    allow_embedding(&app, &headers, &mut response);
    Ok(response)
}

/// Counts a view of a poll that can be answered.
pub fn seen(app: &App, poll: &Poll, phase: Phase, method: &Method, client: &Client) {
    if matches!(phase, Phase::Open { .. }) {
        trust::opened(app, poll, client);
        app.polls.views.count(poll.id, Place::Embed, method);
    }
}

/// The text of a poll without form and results.
pub fn said_without(poll: &Poll, phase: Phase) -> String {
    if poll.sample().is_some() && matches!(phase, Phase::Open { .. }) {
        return BY_INVITATION.to_owned();
    }
    let reason = hidden_reason(poll, phase);
    closed(poll, phase).map_or(reason.clone(), |closed| format!("{closed}. {reason}"))
}
