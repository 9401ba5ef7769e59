//! What the handlers of polls read from a request: which poll, who asks, and whether it wants JSON.

use axum::response::Response;
use http::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue};

use std::sync::Arc;

use super::answer::{AnswerError, Choice};
use super::ballots;
use super::model::{Phase, Poll};
use super::voter::{Voter, known, marker};
use crate::app::App;
use crate::web::Problem;

/// The poll with this slug as the public knows it: a draft is treated as not existing.
pub async fn public_poll(app: &App, slug: &str) -> Result<Arc<Poll>, Problem> {
    let poll = app
        .polls
        .book
        .poll(slug)
        .await?
        .ok_or_else(Problem::not_found)?;
    if poll.phase(app.clock.now()) == Phase::Hidden {
        return Err(Problem::not_found());
    }
    Ok(poll)
}

/// What this browser has answered, if it has.
pub async fn own_choice(
    app: &App,
    poll: &Poll,
    headers: &HeaderMap,
) -> Result<Option<Choice>, Problem> {
    let reader = known::reader(app, poll, headers).await?;
    own_choice_of(app, poll, headers, reader).await
}

/// Like [`own_choice`], for a browser that is known to be `reader`'s.
pub async fn own_choice_of(
    app: &App,
    poll: &Poll,
    headers: &HeaderMap,
    reader: Option<Voter>,
) -> Result<Option<Choice>, Problem> {
    let browser = marker(app, headers).map(Voter::Browser);
    // The reader's own ballot takes precedence over the one under the browser's marker, which may be somebody else's.
    for voter in [reader, browser].into_iter().flatten() {
        let own = ballots::own_choice(&app.db, poll.id, voter.key(poll)).await?;
        if own.is_some() {
            return Ok(own);
        }
    }
    Ok(None)
}

/// Whether the caller is one of our scripts and wants JSON.
pub fn wants_json(headers: &HeaderMap) -> bool {
    headers
        .get(ACCEPT)
        .and_then(|v| v.to_str().ok())
        .is_some_and(|accept| accept.starts_with("application/json"))
}

/// Lets the page that embeds the poll read the response, if its site may embed polls. Never with credentials: pages of
/// other sites may read only what anybody may read.
pub fn allow_embedding(app: &App, headers: &HeaderMap, response: &mut Response) {
    let out = response.headers_mut();
    out.append(VARY, HeaderValue::from_static("Origin"));
    out.remove(ACCESS_CONTROL_ALLOW_CREDENTIALS);
    let Some(origin) = headers.get(ORIGIN) else {
        return;
    };
    let allowed = |site: &String| site == "*" || origin.as_bytes() == site.as_bytes();
    if app.config.http.embed_origins.iter().any(allowed) {
        out.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        // Exposes how long to wait when the server is busy.
        out.insert(
            ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static("Retry-After"),
        );
        out.insert(
            "cross-origin-resource-policy",
            HeaderValue::from_static("cross-origin"),
        );
    }
}

impl From<AnswerError> for Problem {
    fn from(error: AnswerError) -> Self {
        match error {
            AnswerError::Refused(refused) => refused.into(),
            AnswerError::Db(error) => error.into(),
            AnswerError::KeyReused => crate::api::key_reused(),
        }
    }
}
