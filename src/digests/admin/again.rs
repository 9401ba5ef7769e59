//! Two pages with one decision each: to which failed recipients to send again, and what to do about those in doubt.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::super::model::Issue;
use super::attempts;
use super::compose::address;
use super::recipients::handed;
use super::standing::{self, REASONS};
use super::steer::by;
use crate::admin::{Done, Editor, EditorForm, show as shown};
use crate::app::App;
use crate::mailer::mailing::{
    self, DeliveryState, DeliveryStateName, MailingState, Ordered, Progress, Reason, Standing,
    Verdict, Wanted, Which,
};
use crate::types::{IssueId, ReaderId};
use crate::web::{Problem, RawForm};

/// Recipients in doubt on one page; the others are shown once these are settled.
const PAGE: usize = 100;

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

fn number(form: &RawForm, field: &str) -> Result<Option<i64>, Problem> {
    Ok(form.text(field)?.parse().ok())
}

/// Whether an order would affect another number of recipients than the page showed: while an issue is being sent, more
/// of them may come in between. An order without any effect is no such case, because somebody else was faster.
fn is_other(ordered: Ordered, shown: Option<i64>) -> bool {
    matches!(ordered, Ordered::Done(n) if n > 0 && shown != Some(n))
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

/// `GET /admin/issues/{id}/settle`.
pub(super) async fn ask_settle(
    State(app): State<App>,
    editor: Editor,
    Path(id): Path<String>,
    Query(done): Query<Done>,
) -> Result<Response, Problem> {
    let (issue, _) = handed(&app, &id).await?;
    settle_page(&app, &editor, &issue, Said::Done(&done.done)).await
}

/// `POST /admin/issues/{id}/settle`.
pub(super) async fn settle(
    State(app): State<App>,
    Path(id): Path<String>,
    EditorForm { editor, form }: EditorForm,
) -> Result<Response, Problem> {
    let (issue, _) = handed(&app, &id).await?;
    let chosen: Vec<ReaderId> = form
        .all("reader")
        .filter_map(|reader| reader.parse().ok().map(ReaderId))
        .collect();
    let (which, verdict) = match form.text("how")?.as_str() {
        "accept" => (Which::These(&chosen), Verdict::Accept),
        "resend" => (Which::These(&chosen), Verdict::Resend),
        "accept-all" => (Which::All, Verdict::Accept),
        "resend-all" => (Which::All, Verdict::Resend),
        _ => (Which::These(&[]), Verdict::Accept),
    };
    if which == Which::These(&[]) {
        let page = settle_page(&app, &editor, &issue, Said::NobodyTicked).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    let shown = number(&form, "shown")?;
    let txn = app.db.write_txn("issue_settle").await?;
    let by = by(&app, &editor);
    let n = mailing::tallied(&txn, issue.id, DeliveryState::Unknown, &[]).await?;
    let mut ordered = Ordered::Done(n);
    if which != Which::All || !is_other(ordered, shown) {
        ordered = mailing::settle_unknown(&app, &txn, issue.id, which, verdict, &by).await?;
    }
    if which == Which::All && is_other(ordered, shown) {
        drop(txn);
        let page = settle_page(&app, &editor, &issue, Said::OtherNumber).await?;
        return Ok((StatusCode::CONFLICT, page).into_response());
    }
    txn.commit().await?;
    let progress = mailing::progress(&app, issue.id).await?;
    let left = progress.is_some_and(|progress| progress.counts.unknown > 0);
    let did = match verdict {
        Verdict::Accept => "settled",
        Verdict::Resend => "again",
    };
    // If some are left, the editor continues with them.
    after(&issue, ordered, did, if left { "/settle" } else { "" })
}

/// What the page says at its top.
#[derive(Clone, Copy, Debug)]
enum Said<'a> {
    /// What was just done, as in the address.
    Done(&'a str),
    NobodyTicked,
    /// A button for all would have affected another number of recipients than it showed.
    OtherNumber,
}

async fn settle_page(
    app: &App,
    editor: &Editor,
    issue: &Issue,
    says: Said<'_>,
) -> Result<Response, Problem> {
    let (_, zone) = handed(app, &issue.id.0.to_string()).await?;
    let progress = mailing::progress(app, issue.id)
        .await?
        .ok_or_else(Problem::not_found)?;
    let wanted = Wanted {
        standing: Some(Standing::Is(DeliveryState::Unknown)),
        ..Wanted::default()
    };
    let listed = mailing::recipients(&app.db, issue.id, &wanted, PAGE).await?;
    let readers: Vec<ReaderId> = listed.recipients.iter().map(|one| one.reader).collect();
    let all = mailing::attempts(app.db.read(), issue.id, &readers).await?;
    let rows: Vec<Value> = listed
        .recipients
        .iter()
        .map(|one| {
            let tried = all.get(&one.reader).map_or(&[][..], Vec::as_slice);
            json!({
                "reader": one.reader.0,
                "href": format!("{}/recipients/{}", address(issue.id), one.reader.0),
                "email": standing::email(one),
                "local": standing::halves(standing::email(one)).0,
                "domain": standing::halves(standing::email(one)).1,
                "reason": standing::reason(one),
                "words": attempts::last_words(one, tried),
                "at": one.at.map(|at| shown::time(at, &zone)),
            })
        })
        .collect();
    let unknown = progress.counts.unknown;
    let can_resend = !matches!(
        progress.state,
        MailingState::Cancelled | MailingState::Cancelling
    );
    let (notice, wrong) = match says {
        Said::Done(done) => (said(done, unknown), None),
        Said::NobodyTicked => (
            None,
            Some("Tick at least one recipient, or use the buttons for all.".to_owned()),
        ),
        Said::OtherNumber => (
            None,
            Some(format!(
                "The number of readers in doubt has changed since the page was shown, so nothing was done. Now it is {}.",
                shown::count(unknown)
            )),
        ),
    };
    app.pages.render(
        "digests/settle",
        &json!({
            "frame": editor.frame_saying(notice),
            "id": issue.id.0,
            "crumb": issue.title(),
            "rows": rows,
            "count": shown::counted(unknown, "reader", "readers"),
            "shown": unknown,
            "all": if unknown == 1 { "it".to_owned() } else { format!("all {}", shown::count(unknown)) },
            "more": (listed.next.is_some()).then(|| shown::count(unknown - rows.len() as i64)),
            "can_resend": can_resend,
            "errors": wrong.map(|words| json!({ "readers": words })),
        }),
    )
}

/// Redirects to the issue or one of its pages, which shows what was done. It is no error if somebody else was
/// faster.
fn after(issue: &Issue, ordered: Ordered, did: &str, page: &str) -> Result<Response, Problem> {
    match ordered {
        Ordered::Done(n) => {
            let next = format!("{}{page}?done={did}.{n}", address(issue.id));
            Ok(Redirect::to(&next).into_response())
        }
        Ordered::NotNow(MailingState::Cancelled | MailingState::Cancelling) => Err(
            Problem::conflict("This issue was cancelled, so none of its mails is sent any more."),
        ),
        Ordered::NotNow(_) | Ordered::Unknown => Err(Problem::conflict(
            "The issue’s present state does not allow this.",
        )),
    }
}

/// The notice for `settled.2`, `again.9` and the like. `left` is the number of readers who are still in doubt.
pub(super) fn said(done: &str, left: i64) -> Option<String> {
    let (did, n) = done.split_once('.')?;
    let n: i64 = n.parse().ok()?;
    let readers = shown::counted(n, "reader is", "readers are");
    let still = match (did, left) {
        ("settled", 1) => " 1 is still in doubt.".to_owned(),
        ("settled", 2..) => format!(" {} are still in doubt.", shown::count(left)),
        _ => String::new(),
    };
    match (did, n) {
        ("settled" | "again", 0) => {
            Some("Nothing was changed: somebody else was faster.".to_owned())
        }
        ("settled", _) => Some(format!("{readers} taken as handed over.{still}")),
        ("again", _) => Some(format!("{readers} sent to again.")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_with_an_effect_needs_the_number_that_was_shown() {
        for (ordered, shown, other) in [
            (Ordered::Done(3), Some(3), false),
            (Ordered::Done(40), Some(3), true),
            (Ordered::Done(2), Some(3), true),
            (Ordered::Done(3), None, true),
            (Ordered::Done(0), Some(3), false),
            (Ordered::NotNow(MailingState::Cancelled), Some(3), false),
        ] {
            assert_eq!(is_other(ordered, shown), other, "{ordered:?} {shown:?}");
        }
    }

    #[test]
    fn what_was_done_is_said_with_its_numbers() {
        let said = |done: &str, left| said(done, left).unwrap_or_default();
        assert_eq!(
            said("settled.2", 7),
            "2 readers are taken as handed over. 7 are still in doubt."
        );
        assert_eq!(said("settled.1", 0), "1 reader is taken as handed over.");
        assert_eq!(said("again.9", 9), "9 readers are sent to again.");
        assert_eq!(
            said("again.0", 0),
            "Nothing was changed: somebody else was faster."
        );
        for other in ["", "settled", "settled.x", "saved.1"] {
            assert_eq!(said(other, 1), "", "{other}");
        }
    }
}
