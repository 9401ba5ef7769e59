//! The error responses in the OpenAPI document. Those that several operations share are defined here once; an
//! operation adds its own, or overrides a shared one by listing its status after them.
//!
//! None of them declares a body. The guard converts every error into a [`Problem`], so [`dress`] adds that body to
//! all error responses of the document, and none can be forgotten.

use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr};
use utoipa::{IntoParams, IntoResponses, ToSchema as _};

use crate::web::Problem;
use crate::web::problems::KIND;

/// Of every operation.
#[derive(Clone, Copy, Debug, IntoResponses)]
pub enum Refusals {
    /// Its address, its query or its body cannot be read.
    #[response(status = 400)]
    Unreadable,
    /// There is no token, or one that is unknown or revoked.
    #[response(status = 401, headers(("WWW-Authenticate" = String, description = "`Bearer`")))]
    Unauthorised,
    /// This token asks too often.
    #[response(status = 429, headers(("Retry-After" = u32, description = "Seconds to wait")))]
    TooMany,
    /// A fault of ours, which is in the log.
    #[response(status = 500)]
    Fault,
    /// Too many are here at once, or the storage does not work just now. `type` says whether something may have been saved: `canvass:busy` is no.
    #[response(status = 503, headers(("Retry-After" = u32, description = "Seconds to wait")))]
    Busy,
}

/// Of every write, beside [`Refusals`].
#[derive(Clone, Copy, Debug, IntoResponses)]
pub enum WriteRefusals {
    /// The body is too large.
    #[response(status = 413)]
    TooLarge,
    /// The body is not JSON by its Content-Type, or it is compressed.
    #[response(status = 415)]
    Unsupported,
    /// The JSON has another shape, a value is not acceptable (`errors` names the fields), or the Idempotency-Key stood above another request before.
    #[response(status = 422)]
    Unacceptable,
}

/// Of every operation whose address names something.
#[derive(Clone, Copy, Debug, IntoResponses)]
#[response(status = 404, description = "There is nothing of that name")]
pub struct NotFound;

/// How a write is made repeatable.
#[derive(Clone, Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub struct IdempotencyKey {
    /// 1 to 255 printable characters. A repetition within seven days gets the first answer; another request under the same key is refused.
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
