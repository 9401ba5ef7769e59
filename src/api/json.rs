//! JSON bodies.

use axum::extract::{FromRequest, Request};
use http::StatusCode;
use serde::de::DeserializeOwned;

use crate::web::Problem;
use crate::web::forms::{bounded_bytes, has_type};

/// A JSON body: 415 for another media type, 413 if too large, 400 if it is not JSON, 422 if its shape is wrong.
#[derive(Clone, Copy, Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !has_type(&request, "application/json") {
            return Err(Problem::unsupported(
                "The body must be JSON",
                "Send it with the content type application/json.",
            ));
        }
        let bytes = bounded_bytes(request, state).await?;
        if has_nul(&bytes) {
            return Err(Problem::bad_request("The JSON contains a NUL character."));
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            if error.is_data() {
                // serde's message names the field and the expected type, and quotes at most a short value.
                let mut detail = error.to_string();
                detail.truncate(detail.floor_char_boundary(300));
                Problem::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "invalid",
                    "The JSON does not have the shape that this endpoint expects",
                    detail,
                )
            } else {
                Problem::bad_request("The body is not valid JSON.")
            }
        })
    }
}

/// PostgreSQL's TEXT cannot hold NUL, and no field of ours may contain it, raw or escaped as `\u0000`.
fn has_nul(bytes: &[u8]) -> bool {
    bytes.contains(&0) || bytes.windows(6).any(|w| w == b"\\u0000")
}
