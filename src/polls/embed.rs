//! Polls in other pages: the module behind `<canvass-poll>`, the page for an iframe, and oEmbed.

use std::sync::LazyLock;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};

use super::asking::{allow_embedding, public_poll};
use super::http::{form, visible};
use super::model::{Phase, Place, Poll};
use super::results::Results;
use super::view::{FormView, ResultsView, closed, hidden_reason};
use crate::app::App;
use crate::types::keys::token_hash;
use crate::web::{Problem, security};

const MODULE: &str = include_str!("embed/poll.js");

static MODULE_TAG: LazyLock<String> = LazyLock::new(|| {
    let hash: String = token_hash(MODULE)
        .iter()
        .take(8)
        .map(|b| format!("{b:02x}"))
        .collect();
    format!("\"{hash}\"")
});

/// `GET /embed/poll.js`: one address for ever, so it may be kept for an hour only.
pub async fn module(headers: HeaderMap) -> Response {
    let known = headers
        .get(IF_NONE_MATCH)
        .is_some_and(|tag| tag.as_bytes() == MODULE_TAG.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        MODULE.into_response()
    };
    let out = response.headers_mut();
    out.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/javascript; charset=utf-8"),
    );
    out.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=3600"),
    );
    out.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    out.insert(
        "cross-origin-resource-policy",
        HeaderValue::from_static("cross-origin"),
    );
    if let Ok(tag) = HeaderValue::from_str(&MODULE_TAG) {
        out.insert(ETAG, tag);
    }
    response
}

/// What the module draws a poll from.
#[derive(Debug, Serialize)]
struct Data {
    open: bool,
    /// The form to draw, while the poll is open.
    #[serde(flatten)]
    form: FormView,
    results: Option<Results>,
    /// What to say when there is neither.
    message: String,
}

/// `GET /embed/p/{poll}/data`
///
/// # Errors
/// 404 for an unknown poll or a draft.
pub async fn data(
    State(app): State<App>,
    Path(slug): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let poll = public_poll(&app, &slug).await?;
    let phase = poll.phase(app.clock.now());
    seen(&app, &poll, phase, &method);
    let data = Data {
        open: matches!(phase, Phase::Open { .. }),
        form: form(&app, &poll).await?,
        results: visible(&app, &poll, None).await?,
        message: said_without(&poll, phase),
    };
    let mut response = axum::Json(data).into_response();
    response.headers_mut().insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=10"),
    );
    allow_embedding(&app, &headers, &mut response);
    Ok(response)
}

/// Counts a look at a poll that can be answered.
fn seen(app: &App, poll: &Poll, phase: Phase, method: &Method) {
    if matches!(phase, Phase::Open { .. }) {
        app.polls.views.count(poll.id, Place::Embed, method);
    }
}

fn said_without(poll: &Poll, phase: Phase) -> String {
    let reason = hidden_reason(poll, phase);
    closed(poll, phase).map_or(reason.clone(), |closed| format!("{closed}. {reason}"))
}

#[derive(Debug, Serialize)]
struct EmbedPage {
    title: String,
    src: String,
    form: Option<FormView>,
    results: Option<ResultsView>,
    closed: String,
}

/// `GET /embed/p/{poll}`: the poll alone, for an iframe on a site that may embed polls.
///
/// # Errors
/// 404 for an unknown poll or a draft.
pub async fn page(
    State(app): State<App>,
    Path(slug): Path<String>,
    method: Method,
) -> Result<Response, Problem> {
    let poll = public_poll(&app, &slug).await?;
    let phase = poll.phase(app.clock.now());
    seen(&app, &poll, phase, &method);
    let form = match phase {
        Phase::Open { .. } => Some(FormView {
            place: Some("embed"),
            headline: false,
            ..form(&app, &poll).await?
        }),
        _ => None,
    };
    let results = visible(&app, &poll, None).await?;
    let page = EmbedPage {
        title: poll.headline().to_owned(),
        src: format!("/p/{}", poll.slug),
        form,
        results: results.map(|results| ResultsView {
            results,
            headline: false,
            live: None,
        }),
        closed: said_without(&poll, phase),
    };
    let mut response = app.pages.render("polls/embed", &page)?;
    let ancestors = app.config.http.embed_origins.join(" ");
    let policy = security::POLICY.replace(
        "frame-ancestors 'none'",
        &format!("frame-ancestors 'self' {ancestors}"),
    );
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        response
            .headers_mut()
            .insert(CONTENT_SECURITY_POLICY, policy);
    }
    response.headers_mut().insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=60"),
    );
    Ok(response)
}

/// What a consumer of oEmbed asks.
#[derive(Debug, Deserialize)]
pub struct Asked {
    #[serde(default)]
    url: String,
    #[serde(default)]
    format: String,
    #[serde(default)]
    maxwidth: Option<u32>,
    #[serde(default)]
    maxheight: Option<u32>,
}

/// An oEmbed answer (<https://oembed.com>, section 2.3.4.4).
#[derive(Debug, Serialize)]
struct Rich {
    version: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    title: String,
    provider_name: &'static str,
    provider_url: String,
    cache_age: u32,
    html: String,
    width: u32,
    height: u32,
}

const WIDTH: u32 = 600;

/// `GET /oembed?url=`: JSON for the address of a poll of ours.
///
/// # Errors
/// 404 for another address, 501 for XML.
pub async fn oembed(
    State(app): State<App>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    if !matches!(asked.format.as_str(), "" | "json") {
        return Err(Problem::new(
            StatusCode::NOT_IMPLEMENTED,
            "only-json",
            "Only JSON is given here",
            "Ask with format=json.",
        ));
    }
    let origin = app.config.origin();
    let slug = asked
        .url
        .strip_prefix(&origin)
        .and_then(|path| path.strip_prefix("/p/"))
        .map(|rest| rest.trim_end_matches("/results").trim_end_matches('/'))
        .filter(|slug| super::define::is_slug(slug))
        .ok_or_else(Problem::not_found)?;
    let poll = public_poll(&app, slug).await?;
    let width = asked.maxwidth.map_or(WIDTH, |max| max.clamp(1, WIDTH));
    let height = asked
        .maxheight
        .map_or(height(&poll), |max| height(&poll).min(max.max(1)));
    let rich = Rich {
        version: "1.0",
        kind: "rich",
        title: poll.headline().to_owned(),
        provider_name: "Canvass",
        cache_age: 3_600,
        // A slug has no character that means anything in HTML.
        html: format!(
            "<iframe src=\"{origin}/embed/p/{slug}\" width=\"{width}\" height=\"{height}\" title=\"Poll\" frameborder=\"0\"></iframe>"
        ),
        provider_url: origin,
        width,
        height,
    };
    let mut response = axum::Json(rich).into_response();
    response
        .headers_mut()
        .insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    Ok(response)
}

/// How high the form is, in CSS pixels: known from the options, so that nothing jumps.
fn height(poll: &Poll) -> u32 {
    let options = u32::try_from(poll.options().count()).unwrap_or(0);
    let questions = u32::try_from(poll.questions.len()).unwrap_or(1);
    let newsletter = if poll.newsletter.is_some() { 240 } else { 0 };
    120 + questions * 80 + options * 60 + newsletter
}
