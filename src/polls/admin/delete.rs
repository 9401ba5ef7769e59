//! `POST /admin/polls/{slug}/delete`: asks for confirmation first, and deletes the draft once it is given. Both presses
//! name the revision that the editor saw, so a question that came later is not deleted unread.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;

use super::tabs::poll_of;
use crate::admin::EditorForm;
use crate::app::App;
use crate::polls::definition;
use crate::polls::model::PollState;
use crate::web::Problem;

pub async fn delete(
    State(app): State<App>,
    Path(slug): Path<String>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    let poll = poll_of(&app, &slug).await?;
    if poll.state != PollState::Draft {
        return Err(Problem::conflict(
            "This poll is no longer a draft. Only drafts can be deleted: what readers were asked is kept.",
        ));
    }
    if form.text("revision")? != poll.revision.to_string() {
        return Err(Problem::conflict(
            "The draft was not deleted: somebody changed it after you opened the page with the button. Look at it once more.",
        ));
    }
    if form.text("sure")? != "yes" {
        let address = format!("/admin/polls/{slug}");
        return app.pages.render(
            "admin/ask",
            &json!({
                "frame": editor.frame(),
                "nav": "polls",
                "back": address,
                "crumb": poll.headline(),
                "revision": poll.revision,
                "heading": "Delete this draft?",
                "text": "Its question is deleted for good. Nobody has answered it. An article or an issue that refers to it shows no poll until you \
                         create another one with the same name.",
                "button": "Delete the draft",
                "keep": "Keep it",
                "action": format!("{address}/delete"),
            }),
        );
    }
    let txn = app.db.write_txn("delete-poll").await?;
    if !definition::delete_draft(&txn, poll.id, poll.revision).await? {
        return Err(Problem::conflict(
            "The draft was not deleted: it was changed in the meantime, or it contains answers from elsewhere, or a random sample was drawn for it. \
             Look at it once more.",
        ));
    }
    txn.commit().await?;
    app.polls.book.reread(&slug).await?;
    Ok(Redirect::to("/admin/polls?done=deleted").into_response())
}
