//! Confirmation pages for the two actions that lose something: deleting a draft and cancelling a mailing.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;

use super::super::model::{Issue, IssueState};
use super::super::write;
use super::compose::address;
use super::views;
use crate::admin::{Editor, EditorForm, show};
use crate::app::App;
use crate::mailer::mailing;
use crate::newsletters;
use crate::web::Problem;

/// `POST /admin/issues/{id}/delete`: asks for confirmation, and deletes once confirmed. Both presses name the revision
/// that the editor saw, so a text that came later is not deleted unread.
pub(super) async fn delete(
    State(app): State<App>,
    Path(id): Path<String>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    let issue = super::find(&app, &id).await?;
    if !issue.is_draft() {
        return Err(Problem::conflict(
            "This issue is no longer a draft. Only drafts can be deleted.",
        ));
    }
    if form.text("revision")? != issue.revision.to_string() {
        return Err(changed(&app, &issue).await?);
    }
    if form.text("sure")? != "yes" {
        return question(
            &app,
            &editor,
            &issue,
            (
                "Delete this draft?",
                "Its text is deleted for good. Nobody has been mailed.",
                "Delete the draft",
                "Keep it",
            ),
            "delete",
        );
    }
    if !write::delete(&app, issue.id, issue.revision).await? {
        let issue = super::find(&app, &id).await?;
        return Err(changed(&app, &issue).await?);
    }
    Ok(Redirect::to("/admin/issues").into_response())
}

/// The error for a draft that was saved after the editor had looked at it.
async fn changed(app: &App, issue: &Issue) -> Result<Problem, Problem> {
    let newsletter = newsletters::by_id(app.db.read(), issue.newsletter).await?;
    let newsletter = newsletter.ok_or_else(Problem::not_found)?;
    let saved = show::time(issue.updated, &views::zone_of(&newsletter)).text;
    Ok(Problem::conflict(format!(
        "This draft was saved again, at {saved}, after the page with the button was opened. It was not deleted. Look at it \
         once more.",
    )))
}

/// `GET /admin/issues/{id}/cancel`.
pub(super) async fn cancel(
    State(app): State<App>,
    editor: Editor,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let issue = super::find(&app, &id).await?;
    let IssueState::Handed(_) = issue.state else {
        return Ok(Redirect::to(&address(issue.id)).into_response());
    };
    let Some(progress) = mailing::progress(&app, issue.id).await? else {
        return Err(Problem::not_found());
    };
    let left = show::counted(
        progress.counts.queued + progress.counts.deferred,
        "reader",
        "readers",
    );
    question(
        &app,
        &editor,
        &issue,
        (
            "Cancel the rest?",
            &format!(
                "{left} will not get this issue. Mails that were handed over cannot be recalled. This cannot be undone."
            ),
            "Cancel the rest",
            match progress.state {
                mailing::MailingState::Preparing | mailing::MailingState::Sending => "Keep sending",
                _ => "Leave it as it is",
            },
        ),
        "cancel",
    )
}

fn question(
    app: &App,
    editor: &Editor,
    issue: &Issue,
    (heading, text, button, keep): (&str, &str, &str, &str),
    act: &str,
) -> Result<Response, Problem> {
    app.pages.render(
        "admin/ask",
        &json!({
            "frame": editor.frame(),
            "nav": "issues",
            "back": address(issue.id),
            "crumb": issue.title(),
            "revision": issue.revision,
            "heading": heading,
            "text": text,
            "button": button,
            "keep": keep,
            "action": format!("{}/{act}", address(issue.id)),
        }),
    )
}
