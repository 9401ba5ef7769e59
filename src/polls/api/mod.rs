//! Polls for scripts: `/api/v1/polls`.
//!
//! - `create`: makes a poll; `question` and `names`: what its definition is written with.
//! - `view`: a poll as scripts see it.
//! - `cast`: an answer; `results`: the numbers.
//!
//! What a script sends goes the way of a form (`definition`, `answer`): the same checks, and the same words when something is to be
//! mended. Promises: a request that comes again under its Idempotency-Key does nothing twice; a voter is named by the caller's own
//! name for them, never by an address.

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
