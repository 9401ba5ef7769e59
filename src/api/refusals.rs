//! The error responses in the OpenAPI document. Those that several operations share are defined here once; an
//! operation adds its own, or overrides a shared one by listing its status after them.
//!
//! None of them declares a body. The guard converts every error into a [`Problem`], so `dress` adds that body to
//! all error responses of the document, and none can be forgotten.

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr};
use utoipa::{IntoParams, IntoResponses, ToSchema as _};

use crate::web::Problem;
use crate::web::problems::KIND;

/// Of every operation.
#[derive(Clone, Copy, Debug, IntoResponses)]
pub enum Refusals {
    /// The path, the query or the body is malformed.
    #[response(status = 400)]
    Unreadable,
    /// The token is missing, unknown or revoked.
    #[response(status = 401, headers(("WWW-Authenticate" = String, description = "`Bearer`")))]
    Unauthorised,
    /// Too many requests with this token.
    #[response(status = 429, headers(("Retry-After" = u32, description = "Seconds to wait")))]
    TooMany,
    /// An internal error, which the server has logged.
    #[response(status = 500)]
    Fault,
    /// The server is overloaded, or its storage is unavailable. `type` tells whether anything may have been saved: with `canvass:busy`, nothing was.
    #[response(status = 503, headers(("Retry-After" = u32, description = "Seconds to wait")))]
    Busy,
}

/// Of every write, beside [`Refusals`].
#[derive(Clone, Copy, Debug, IntoResponses)]
pub enum WriteRefusals {
    /// The body is too large.
    #[response(status = 413)]
    TooLarge,
    /// The body's Content-Type is not JSON, or the body is compressed.
    #[response(status = 415)]
    Unsupported,
    /// The JSON has the wrong shape, a value is invalid (`errors` names the fields), or the Idempotency-Key was already used for another request.
    #[response(status = 422)]
    Unacceptable,
}

/// Of every operation whose address names something.
#[derive(Clone, Copy, Debug, IntoResponses)]
#[response(status = 404, description = "There is nothing with this name")]
pub struct NotFound;

/// How a write is made repeatable.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IdempotencyKey {
    /// 1 to 255 printable characters. A repeated request within seven days gets the first response; a different request with the same key is refused.
    #[param(rename = "Idempotency-Key")]
    pub idempotency_key: Option<String>,
}

/// Gives every error response of the document its common body.
pub(super) fn dress(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            for (status, response) in &mut operation.responses.responses {
                let refused = status.starts_with('4') || status.starts_with('5');
                if let (true, RefOr::T(response)) = (refused, response) {
                    let problem = Content::new(Some(Ref::from_schema_name(Problem::name())));
                    response.content.insert(KIND.to_owned(), problem.into());
                }
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let all = [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.patch,
        &mut item.delete,
    ];
    all.into_iter().flatten()
}
