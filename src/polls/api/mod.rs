//! Polls for scripts: `/api/v1/polls`.
//!
//! - `create`: creates a poll; `question` and `names`: the types of its request.
//! - `view`: a poll as scripts see it.
//! - `cast`: an answer; `results`: the numbers.
//!
//! What a script sends takes the same path as a form (`definition`, `answer`), with the same checks and the same error
//! messages. Promises: a request repeated with its Idempotency-Key has no second effect; a voter is identified by the
//! caller's own name for them, never by an address.

mod cast;
mod create;
mod names;
mod question;
mod results;
mod view;

pub use cast::cast;
pub use create::create;
pub use names::ResultsFor;
pub use results::results;

/// The part of the OpenAPI document that describes polls.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    create::create,
    cast::cast,
    results::results,
    super::export::http::export,
    super::linked::api::show,
    super::linked::api::export,
    super::sample::api::list,
    super::sample::api::show
))]
pub struct Document;
