//! `/admin/issues/{id}/resend`: to which failed recipients to send again.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::super::model::Issue;
use super::again::{after, is_other, number};
use super::recipients::handed;
use super::standing::{self, REASONS};
use super::steer::by;
use crate::admin::{Editor, EditorForm, show as shown};
use crate::app::App;
use crate::mailer::mailing::{
    self, DeliveryState, DeliveryStateName, MailingState, Ordered, Progress, Reason,
};
use crate::types::IssueId;
use crate::web::Problem;

/// `GET /admin/issues/{id}/resend`.
pub(super) async fn ask_resend(
    State(app): State<App>,
    editor: Editor,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (issue, _) = handed(&app, &id).await?;
    resend_page(&app, &editor, &issue, None).await
}

/// `POST /admin/issues/{id}/resend`.
pub(super) async fn resend(
    State(app): State<App>,
    Path(id): Path<String>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    let (issue, _) = handed(&app, &id).await?;
    let reasons: Vec<Reason> = form
        .all("reason")
        .filter_map(standing::reason_named)
        .collect();
    let failures: Vec<Reason> = reasons
        .into_iter()
        .filter(|reason| Reason::FAILURES.contains(reason))
        .collect();
    if failures.is_empty() {
        let page = resend_page(&app, &editor, &issue, Some("Choose at least one.")).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    let mut shown = Some(0);
    for reason in &failures {
        let n = number(&form, &shown_as(*reason))?;
        shown = shown.zip(n).map(|(all, n)| all + n);
    }
    let txn = app.db.write_txn("issue_resend").await?;
    let by = by(&app, &editor);
    let n = mailing::tallied(&txn, issue.id, DeliveryState::Failed, &failures).await?;
    let mut ordered = Ordered::Done(n);
    if !is_other(ordered, shown) {
        ordered = mailing::resend_failed(&app, &txn, issue.id, &failures, &by).await?;
    }
    if is_other(ordered, shown) {
        drop(txn);
        let page = resend_page(&app, &editor, &issue, Some(OTHERS_FAILED)).await?;
        return Ok((StatusCode::CONFLICT, page).into_response());
    }
    txn.commit().await?;
    after(&issue, ordered, "again", "")
}

/// What an editor is told if the button would have affected other recipients than the page showed.
const OTHERS_FAILED: &str = "The number of readers that failed has changed since the page was shown, so nothing was sent. These are the present numbers: choose again.";

/// The field with the number of failed recipients that the page showed for a reason.
fn shown_as(reason: Reason) -> String {
    let name = REASONS.iter().find(|(_, known)| *known == reason);
    format!("shown-{}", name.map_or("", |(name, _)| name))
}

async fn resend_page(
    app: &App,
    editor: &Editor,
    issue: &Issue,
    wrong: Option<&str>,
) -> Result<Response, Problem> {
    let progress = mailing::progress(app, issue.id)
        .await?
        .ok_or_else(Problem::not_found)?;
    let back = bounced_and_back(app, issue.id, &progress).await?;
    let failed = failures(&progress).filter_map(|(reason, all)| {
        let name = REASONS.iter().find(|(_, known)| *known == reason)?.0;
        let n = if reason == Reason::BadAddress {
            back
        } else {
            all
        };
        (n > 0).then(|| {
            json!({
                "value": name,
                "shown": { "name": shown_as(reason), "value": all },
                "label": reason.words(),
                "count": shown::counted(n, "reader", "readers"),
                "hint": hint(reason),
                "chosen": reason != Reason::BadAddress,
            })
        })
    });
    let failed: Vec<Value> = failed.collect();
    let skipped: i64 = failures(&progress)
        .filter(|(reason, _)| *reason == Reason::BadAddress)
        .map(|(_, n)| n - back)
        .sum();
    app.pages.render(
        "digests/resend",
        &json!({
            "frame": editor.frame(),
            "id": issue.id.0,
            "crumb": issue.title(),
            "one": match &failed[..] {
                [one] => one["count"].clone(),
                _ => Value::Null,
            },
            "failed": failed,
            "skipped": (skipped > 0).then(|| shown::counted(skipped, "reader", "readers")),
            "cancelled": matches!(progress.state, MailingState::Cancelled | MailingState::Cancelling),
            "errors": wrong.map(|words| json!({ "reasons": words })),
        }),
    )
}

/// The failed recipients, counted by reason.
fn failures(progress: &Progress) -> impl Iterator<Item = (Reason, i64)> {
    progress
        .reasons
        .iter()
        .filter(|(state, ..)| *state == DeliveryStateName::Failed)
        .map(|(_, reason, n)| (*reason, *n))
}

/// How many of the recipients whose address did not exist can be mailed again: see [`mailing::bounced_and_back`].
async fn bounced_and_back(app: &App, issue: IssueId, progress: &Progress) -> Result<i64, Problem> {
    if !failures(progress).any(|(reason, _)| reason == Reason::BadAddress) {
        return Ok(0);
    }
    Ok(mailing::bounced_and_back(&app.db, issue).await?)
}

/// How many failed recipients can be mailed again in any case: all except those whose address did not exist.
pub(super) fn some(progress: &Progress) -> i64 {
    failures(progress)
        .filter(|(reason, _)| *reason != Reason::BadAddress)
        .map(|(_, n)| n)
        .sum()
}

/// Whether any failed recipient can be mailed again.
pub(super) async fn can_resend(
    app: &App,
    issue: IssueId,
    progress: &Progress,
) -> Result<bool, Problem> {
    Ok(some(progress) > 0 || bounced_and_back(app, issue, progress).await? > 0)
}

/// What an editor should know before trying again.
fn hint(reason: Reason) -> &'static str {
    match reason {
        Reason::Refused => "A full mailbox or a mail that is too large may have changed since.",
        Reason::Ours => "Fix the cause first: the relay’s reply is shown beside each recipient.",
        Reason::Expired => "Their servers asked for patience until the issue was too old.",
        Reason::Internal => {
            "Three attempts failed because of an error in Canvass. Tell the person who runs it, and send again once it is fixed."
        }
        Reason::BadAddress => "These addresses did not exist, but have subscribed again since.",
        _ => "",
    }
}
