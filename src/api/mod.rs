//! What all JSON endpoints share. The endpoints themselves are with their features.
//!
//! - [`Caller`]: the Bearer token of a script, stored hashed, rate-limited.
//! - [`Json`]: a JSON body of limited size and the right shape; otherwise problem+json.
//! - [`Write`]: a write with an `Idempotency-Key`. The key, the effect and the response are stored in one
//!   transaction, so a repetition gets the first response and never has a second effect, even after a crash. Keys
//!   are kept for a week.
//! - [`once_store`]: the same for many requests that share a commit, such as ballots.
//! - [`openapi`]: the OpenAPI document, generated from the handlers; [`refusals`]: the error responses that all of
//!   them share.
//!
//! Files: `tokens`, `json`, `write` with its table in `write_store`, `once_store`, `openapi`, `refusals`.

mod json;
pub mod once_store;
pub mod openapi;
pub mod refusals;
pub mod tokens;
mod write;
mod write_store;

use axum::Router;
use axum::routing::get;
use utoipa::openapi::OpenApi;

pub use json::Json;
pub use once_store::Once;
pub use tokens::Caller;
pub use write::{Begun, KEPT, Write, idempotency_key, key_reused, purge};

use crate::app::App;

/// The routes below `/api/v1` that belong to no feature. `document` builds the OpenAPI document of all
/// endpoints; it is called at each request, since the document is large and rarely requested.
pub fn routes(document: fn() -> OpenApi) -> Router<App> {
    let serve = move || async move { openapi::serve(&document()) };
    Router::new().route("/openapi.json", get(serve))
}
