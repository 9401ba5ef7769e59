//! `/admin/issues/{id}/settle`: what to do about recipients in doubt.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::super::model::Issue;
use super::again::{after, is_other, number, said};
use super::attempts;
use super::compose::address;
use super::recipients::handed;
use super::standing;
use super::steer::by;
use crate::admin::{Done, Editor, EditorForm, show as shown};
use crate::app::App;
use crate::mailer::mailing::{
    self, Attempt, DeliveryState, MailingState, Ordered, Recipient, Standing, Verdict, Wanted,
    Which,
};
use crate::scheduler::Zone;
use crate::types::{IssueId, ReaderId};
use crate::web::Problem;

/// Recipients in doubt on one page; the others are shown once these are settled.
const PAGE: usize = 100;

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
        .map(|one| row(issue.id, one, all.get(&one.reader), &zone))
        .collect();
    let unknown = progress.counts.unknown;
    let can_resend = !matches!(
        progress.state,
        MailingState::Cancelled | MailingState::Cancelling
    );
    let notice = match says {
        Said::Done(done) => said(done, unknown),
        Said::NobodyTicked | Said::OtherNumber => None,
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
            "errors": wrong(says, unknown).map(|words| json!({ "readers": words })),
        }),
    )
}

/// One recipient in doubt, with the attempts to reach them.
fn row(issue: IssueId, one: &Recipient, tried: Option<&Vec<Attempt>>, zone: &Zone) -> Value {
    let email = standing::email(one);
    let (local, domain) = standing::halves(email);
    json!({
        "reader": one.reader.0,
        "href": format!("{}/recipients/{}", address(issue), one.reader.0),
        "email": email,
        "local": local,
        "domain": domain,
        "reason": standing::reason(one),
        "words": attempts::last_words(one, tried.map_or(&[][..], Vec::as_slice)),
        "at": one.at.map(|at| shown::time(at, zone)),
    })
}

/// Why nothing was done, where `unknown` readers are in doubt.
fn wrong(says: Said<'_>, unknown: i64) -> Option<String> {
    match says {
        Said::Done(_) => None,
        Said::NobodyTicked => {
            Some("Tick at least one recipient, or use the buttons for all.".to_owned())
        }
        Said::OtherNumber => Some(format!(
            "The number of readers in doubt has changed since the page was shown, so nothing was done. Now it is {}.",
            shown::count(unknown)
        )),
    }
}
