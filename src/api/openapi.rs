//! `GET /api/v1/openapi.json`: generated from the handlers' annotations, so that it cannot drift from them.
//! This module does not know the features: [`crate::routes`], which joins their routes, passes in their
//! documents.

use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use super::refusals;
use crate::web::Problem;
use crate::web::problems::FieldProblem;

/// The part of the document that belongs to no feature.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Canvass",
        description = "Polls, subscriptions and issues. Errors are application/problem+json (RFC 9457). \
                   Every write except an export takes an Idempotency-Key, which is remembered for seven days; a repeated request gets the first response."
    ),
    components(schemas(Problem, FieldProblem))
)]
struct Root;

/// The whole document: the root and the `parts` of the features.
#[must_use]
pub fn document(parts: impl IntoIterator<Item = OpenApi>) -> OpenApi {
    let mut document = Root::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").into();
    for part in parts {
        document.merge(part);
    }
    refusals::dress(&mut document);
    document
        .components
        .get_or_insert_default()
        .add_security_scheme(
            "bearer",
            SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)),
        );
    document
}

/// Serves `document` as JSON.
pub(super) fn serve(document: &OpenApi) -> Response {
    match document.to_json() {
        Ok(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
        Err(error) => Problem::internal(&error).into_response(),
    }
}
