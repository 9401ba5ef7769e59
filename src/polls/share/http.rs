//! `GET /p/{poll}/share.png`

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::facts::host;
use super::sketch::Sketch;
use crate::app::App;
use crate::polls::asking::public_poll;
use crate::polls::results::visible;
use crate::web::Problem;

/// The preview picture of the poll: it shows what the public may see, whoever asks.
///
/// # Errors
/// 404 for an unknown poll or a draft.
pub async fn picture(
    State(app): State<App>,
    Path(slug): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let poll = public_poll(&app, &slug).await?;
    let results = visible(&app, &poll, false, None).await?;
    let now = app.clock.now();
    let sketch = Sketch::of(&poll, results.as_ref(), now, host(&app.config.origin()));
    let picture = app
        .polls
        .pictures
        .of(poll.id, poll.revision, sketch, now)
        .await
        .map_err(|error| Problem::internal(&error))?;
    let known = headers
        .get(IF_NONE_MATCH)
        .and_then(|given| given.to_str().ok())
        .is_some_and(|given| {
            given
                .split(',')
                .any(|tag| tag.trim().trim_start_matches("W/") == picture.tag)
        });
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        picture.png.into_response()
    };
    let out = response.headers_mut();
    out.insert(CONTENT_TYPE, HeaderValue::from_static("image/png"));
    out.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=60"),
    );
    // It is meant to be shown in other sites' pages.
    out.insert(
        "cross-origin-resource-policy",
        HeaderValue::from_static("cross-origin"),
    );
    if let Ok(tag) = HeaderValue::from_str(&picture.tag) {
        out.insert(ETAG, tag);
    }
    Ok(response)
}
