//! The export, as files on the editors' page and for scripts.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};

use super::{Document, file};
use crate::admin::Editor;
use crate::api::Caller;
use crate::api::refusals::Refusals;
use crate::app::App;
use crate::polls::definition;
use crate::web::Problem;

/// `GET /admin/polls/{slug}/export/{file}`: `results.csv` and the other files, or `poll.json` with everything.
///
/// # Errors
/// 404 for an unknown poll or file.
pub async fn download(
    State(app): State<App>,
    Path((slug, name)): Path<(String, String)>,
    _: Editor,
) -> Result<Response, Problem> {
    taken(&app, &slug, &name).await
}

/// A poll with all its counts, as `poll.json` or as one of the CSV files that the dictionary names. Every number is a
/// count over many ballots: there is no single ballot, reader, key or exact time in it.
///
/// # Errors
/// 401, 404.
#[utoipa::path(get, path = "/api/v1/polls/{slug}/export/{file}", tag = "polls", security(("bearer" = [])),
    params(("slug" = String, Path, description = "The poll's slug"),
        ("file" = String, Path, description = "poll.json, results.csv, voters.csv, turnout.csv, places.csv, steps.csv, refusals.csv, tables.csv, ranks.csv, rounds.csv, sample.csv, draw.csv or dictionary.csv")),
    responses((status = 200, description = "The file", content((Document = "application/json"), (String = "text/csv"))), Refusals,
        (status = 404, description = "No such poll, or it has no such file")))]
pub async fn export(
    State(app): State<App>,
    _: Caller,
    Path((slug, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    taken(&app, &slug, &name).await
}

async fn taken(app: &App, slug: &str, name: &str) -> Result<Response, Problem> {
    let poll = definition::by_slug(&app.db, slug)
        .await?
        .ok_or_else(Problem::not_found)?;
    let document = Document::of(app, &poll).await?;
    let mut response = if name == "poll.json" {
        axum::Json(document).into_response()
    } else {
        let csv = file(&document, name).ok_or_else(Problem::not_found)?;
        ([(CONTENT_TYPE, "text/csv; charset=utf-8")], csv).into_response()
    };
    let said = format!("attachment; filename=\"{}-{name}\"", poll.slug);
    if let Ok(said) = HeaderValue::from_str(&said) {
        response.headers_mut().insert(CONTENT_DISPOSITION, said);
    }
    Ok(response)
}
