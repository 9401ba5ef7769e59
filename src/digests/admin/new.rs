//! `GET /admin/issues/new`, `POST /admin/issues`: the choice of a newsletter, and a first subject.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::super::model::Content;
use super::super::write;
use crate::admin::{Editor, EditorForm};
use crate::app::App;
use crate::newsletters;
use crate::web::Problem;

pub(super) async fn show(State(app): State<App>, editor: Editor) -> Result<Response, Problem> {
    page(&app, &editor, "", "", &Map::new()).await
}

pub(super) async fn create(
    State(app): State<App>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    let slug = form.text("newsletter")?;
    let subject = form.text("subject")?;
    let mut errors = Map::new();
    let newsletter = newsletters::by_slug(app.db.read(), &slug).await?;
    if newsletter.is_none() {
        errors.insert("newsletter".into(), "Choose one of the newsletters.".into());
    }
    let content = match Content::new(&subject, "", "") {
        Ok(content) => Some(content),
        Err(bad) => {
            errors.insert(bad.field().into(), bad.to_string().into());
            None
        }
    };
    let (Some(newsletter), Some(content)) = (newsletter, content) else {
        let page = page(&app, &editor, &slug, &subject, &errors).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    };
    let id = write::create(&app, newsletter.id, &content, None, editor.id).await?;
    Ok(Redirect::to(&format!("/admin/issues/{}", id.0)).into_response())
}

async fn page(
    app: &App,
    editor: &Editor,
    chosen: &str,
    subject: &str,
    errors: &Map<String, Value>,
) -> Result<Response, Problem> {
    let newsletters = newsletters::all(app.db.read()).await?;
    let newsletters: Vec<Value> = newsletters
        .iter()
        .map(|n| json!({ "slug": n.slug, "name": n.name, "chosen": n.slug == chosen }))
        .collect();
    app.pages.render(
        "digests/new",
        &json!({
            "frame": editor.frame(),
            "newsletters": newsletters,
            "form": { "subject": subject },
            "errors": errors,
        }),
    )
}
