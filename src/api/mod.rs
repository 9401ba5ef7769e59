//! What all JSON endpoints share; the endpoints lie with their features.
//!
//! - [`Caller`]: the Bearer token of a script, stored hashed, rate-limited.
//! - [`Json`]: a body that is bounded, JSON, and of the right shape; else problem+json.
//! - [`Write`]: a write under an `Idempotency-Key`: key, effect and answer are one transaction, so a
//!   repetition gets the first answer and never a second effect, also after a crash; for a week, then the key is forgotten.
//! - [`once_store`]: the same for many requests that share a commit, as ballots do.
//! - [`openapi`]: the OpenAPI document, generated from the handlers; [`refusals`]: what it says of those that all of them share.

mod json;
pub mod once_store;
pub mod openapi;
pub mod refusals;
pub mod tokens;
mod write;

use axum::Router;
use axum::routing::get;

pub use json::Json;
pub use once_store::Once;
pub use tokens::Caller;
pub use write::{Begun, KEPT, Write, idempotency_key, key_reused, purge};

use crate::app::App;

/// The routes below `/api/v1` that belong to no feature.
pub fn routes() -> Router<App> {
    Router::new().route("/openapi.json", get(openapi::serve))
}
