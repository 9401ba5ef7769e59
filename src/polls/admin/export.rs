//! `GET /admin/polls/{slug}/export`: the files that can be downloaded, and what their fields mean.

use axum::extract::{Path, State};
use axum::response::Response;
use serde_json::{Value, json};

use super::tabs::{Tab, page, poll_of};
use crate::admin::Editor;
use crate::app::App;
use crate::polls::export::{DICTIONARY, FILES};
use crate::web::Problem;

pub async fn show(
    State(app): State<App>,
    Path(slug): Path<String>,
    editor: Editor,
) -> Result<Response, Problem> {
    let poll = poll_of(&app, &slug).await?;
    let files: Vec<Value> = FILES
        .iter()
        .map(|file| json!({ "name": file.name, "label": file.label }))
        .collect();
    let mut page = page(&editor, &poll, Tab::Export, "Export");
    page["files"] = files.into();
    page["dictionary"] = json!(DICTIONARY);
    app.pages.render("polls/admin_export", &page)
}
