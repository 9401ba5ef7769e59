//! `/`: the newsletters that can be read and subscribed to here. Every page's masthead links to it.

use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::store;
use crate::app::App;
use crate::web::Problem;

/// `GET /`
pub async fn show(State(app): State<App>) -> Result<Response, Problem> {
    let letters = store::all(app.db.read()).await?;
    let letters: Vec<Value> = letters
        .iter()
        .map(|letter| {
            json!({
                "slug": letter.slug, "name": letter.name, "description": letter.description,
                "archive": letter.archive, "language": letter.language,
            })
        })
        .collect();
    let page = json!({ "title": "Newsletters", "newsletters": letters });
    app.pages.render("newsletters/front", &page)
}
