//! Editors' actions on an issue that is being sent: pause, resume, cancel, send again to failed recipients, settle
//! those in doubt.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};

use super::super::model::Issue;
use super::compose::address;
use crate::admin::{Editor, EditorForm};
use crate::app::App;
use crate::mailer::mailing::{self, By, Change, MailingState, Steer};
use crate::web::Problem;

/// `POST /admin/issues/{id}/pause`.
pub(super) async fn pause(
    State(app): State<App>,
    Path(id): Path<String>,
    EditorForm { editor, .. }: EditorForm,
) -> Result<Response, Problem> {
    let issue = super::find(&app, &id).await?;
    steer(&app, &editor, &issue, Steer::Pause).await
}

/// `POST /admin/issues/{id}/resume`.
pub(super) async fn resume(
    State(app): State<App>,
    Path(id): Path<String>,
    EditorForm { editor, .. }: EditorForm,
) -> Result<Response, Problem> {
    let issue = super::find(&app, &id).await?;
    steer(&app, &editor, &issue, Steer::Resume).await
}

/// `POST /admin/issues/{id}/cancel`, after the confirmation page.
pub(super) async fn cancel(
    State(app): State<App>,
    Path(id): Path<String>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    let issue = super::find(&app, &id).await?;
    if form.text("sure")? != "yes" {
        return Ok(Redirect::to(&format!("{}/cancel", address(issue.id))).into_response());
    }
    steer(&app, &editor, &issue, Steer::Cancel).await
}

async fn steer(
    app: &App,
    editor: &Editor,
    issue: &Issue,
    what: Steer,
) -> Result<Response, Problem> {
    let txn = app.db.write_txn("issue_steer").await?;
    let change = mailing::steer(app, &txn, issue.id, what, &by(app, editor)).await?;
    txn.commit().await?;
    after(issue, change, what)
}

/// The editor as the author of an order, for the record.
pub(super) fn by(app: &App, editor: &Editor) -> By {
    let name = if editor.name.is_empty() {
        &editor.email
    } else {
        &editor.name
    };
    By {
        who: name.clone(),
        now: app.clock.now(),
    }
}

/// Redirects to the page, which shows the state. Pressing the same button twice is no error.
fn after(issue: &Issue, change: Change, wanted: Steer) -> Result<Response, Problem> {
    match change {
        Change::Done => {}
        Change::NotNow(state) if wanted.has_led_to(state) => {}
        Change::NotNow(MailingState::Finished | MailingState::Cancelled) => {
            return Err(Problem::conflict(
                "This issue has already gone out: nothing was left to send.",
            ));
        }
        Change::NotNow(_) | Change::Unknown => {
            return Err(Problem::conflict(
                "The issue’s present state does not allow this.",
            ));
        }
    }
    Ok(Redirect::to(&address(issue.id)).into_response())
}
