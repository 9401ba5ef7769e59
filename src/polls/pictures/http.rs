//! `GET /media/{name}`: pictures, cached for ever by their name.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::store;
use crate::app::App;
use crate::web::Problem;

/// Serves a picture.
///
/// # Errors
/// 404 for a name that is not one of our pictures.
pub async fn serve(
    State(app): State<App>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let picture = store::by_name(&app.db, &name)
        .await?
        .ok_or_else(Problem::not_found)?;
    let tag = format!("\"{name}\"");
    let known = headers
        .get(IF_NONE_MATCH)
        .is_some_and(|given| given.as_bytes() == tag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        picture.body.into_response()
    };
    let out = response.headers_mut();
    let media_type = match picture.media_type.as_str() {
        "image/png" => HeaderValue::from_static("image/png"),
        _ => HeaderValue::from_static("image/jpeg"),
    };
    out.insert(CONTENT_TYPE, media_type);
    out.insert(
        CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=31536000, immutable"),
    );
    // Opened directly, it is only a picture.
    out.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox"),
    );
    // Polls are embedded in other sites' pages.
    out.insert(
        "cross-origin-resource-policy",
        HeaderValue::from_static("cross-origin"),
    );
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        out.insert(ETAG, tag);
    }
    Ok(response)
}
