//! `/accent/{colour}.css`: a newsletter's accent for the pages about it. Pages allow no inline style, so it is a style
//! sheet of its own.

use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use super::Colour;
use crate::web::Problem;

/// `GET`. The name of a sheet determines its content, so it can be cached for ever.
///
/// # Errors
/// 404 if the name is not a colour, or one that no newsletter can have.
pub async fn sheet(Path(name): Path<String>) -> Result<Response, Problem> {
    let accent = name
        .strip_suffix(".css")
        .and_then(|hex| Colour::parse(&format!("#{hex}")))
        .filter(|colour| colour.reads_on_white())
        .ok_or_else(Problem::not_found)?;
    let (light, dark) = (accent.darkened_for_pages(), accent.lightened_to_read());
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/css; charset=utf-8"),
        ),
        (
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=31536000, immutable"),
        ),
    ];
    let sheet = format!(":root {{ --accent: {light}; --accent-dark: {dark}; }}\n");
    Ok((headers, sheet).into_response())
}
