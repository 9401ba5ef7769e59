//! A poll's results for scripts: `GET /polls/{slug}/results`.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};

use crate::api::Caller;
use crate::api::refusals::{NotFound, Refusals};
use crate::app::App;
use crate::polls::results::secrecy::ClosedResults;
use crate::polls::results::{Results, totals};
use crate::web::Problem;

/// The results, including those that the public may not see.
///
/// # Errors
/// 401, 404.
#[utoipa::path(get, path = "/api/v1/polls/{slug}/results", tag = "polls", security(("bearer" = [])),
    params(("slug" = String, Path, description = "The poll's slug")),
    responses((status = 200, body = ClosedResults), Refusals, NotFound))]
pub async fn results(
    State(app): State<App>,
    _: Caller,
    Path(slug): Path<String>,
) -> Result<Response, Problem> {
    let poll = app
        .polls
        .book
        .poll(&slug)
        .await?
        .ok_or_else(Problem::not_found)?;
    let totals = totals(&app.db, &poll).await?;
    let results = Results::of(&poll, &totals, &[]);
    let results = ClosedResults::of(&app, &poll, results).await?;
    Ok(axum::Json(results).into_response())
}
