//! A problem for scripts: `application/problem+json` (RFC 9457).

use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::CONTENT_TYPE;

use super::Problem;

/// The media type of every error response to a script.
pub const KIND: &str = "application/problem+json";

impl Problem {
    /// The content type and the body.
    pub(super) fn json(&self) -> (&'static str, String) {
        let body = serde_json::to_value(self).unwrap_or_default();
        (KIND, body.to_string())
    }

    /// The whole response, for a script that called a route which otherwise gives pages.
    #[must_use]
    pub fn into_json(self) -> Response {
        let (kind, body) = self.json();
        let mut response = self.into_response();
        response.extensions_mut().remove::<Self>();
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        *response.body_mut() = body.into();
        response
    }
}
