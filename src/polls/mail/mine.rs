//! `/v/{token}/mine`: an answer was left beside the address of somebody who is already subscribed. The owner of the
//! mailbox confirms that it is theirs, as a new subscriber does with the confirmation link.
//!
//! The mail's link names the reader and contains, sealed, the answer and whether the box of a linked poll was ticked.
//! None of this is in the database before the button is pressed. The page does not show the answer: the address may
//! have been typed by somebody else.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use super::link::answer_link;
use super::vote::{Link, finished, open, refuse_strangers};
use super::{nonce, private};
use crate::app::App;
use crate::newsletters::Newsletter;
use crate::polls::model::Phase;
use crate::polls::results::not_counted;
use crate::polls::voter::known::{self, Waiting};
use crate::types::{Keys, PollId, ReaderId};
use crate::web::{Problem, RawForm, press};

/// The query of the link.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Left {
    /// See [`known::answer_token`].
    answer: String,
}

/// The path after `/v/` in the mail: the reader and the poll, with the answer in `answer`.
#[must_use]
pub fn mine_link(keys: &Keys, poll: PollId, reader: ReaderId, answer: &str) -> String {
    format!("{}/mine?answer={answer}", answer_link(keys, poll, reader))
}

#[derive(Serialize)]
struct MinePage<'a> {
    title: String,
    noindex: bool,
    accent_sheet: Option<String>,
    question: &'a str,
    /// The consent text that was agreed to beside the answer.
    linking: Option<&'a str>,
    /// Whether it was agreed to on this page, too.
    agreed: bool,
    answer: &'a str,
    action: String,
    /// The link by which the reader can answer directly.
    own: String,
    nonce: String,
    ask_person: bool,
    again: Option<&'static str>,
}

/// `GET`: asks for confirmation; changes nothing.
///
/// # Errors
/// 404 for an invalid token.
pub async fn page(
    State(app): State<App>,
    Path(token): Path<String>,
    Query(left): Query<Left>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let link = open(&app, &token).await?;
    match waiting(&app, &link, &left.answer).await? {
        Some(found) => ask(&app, &link, &token, &left.answer, &found, false, None),
        None => nothing(&app, &link, &token, &headers).await,
    }
}

/// `POST`: makes the answer the reader's, and joins it to their address if they agreed to that then and still do.
///
/// # Errors
/// 404 for an invalid token; 403 for a form from another site; 409 if there is no answer to take over.
pub async fn take(
    State(app): State<App>,
    Path(token): Path<String>,
    headers: HeaderMap,
    form: RawForm,
) -> Result<Response, Problem> {
    refuse_strangers(&app, &headers)?;
    let link = open(&app, &token).await?;
    let answer = form.text("answer")?;
    let Some(found) = waiting(&app, &link, &answer).await? else {
        return nothing(&app, &link, &token, &headers).await;
    };
    let again = if press::is_by_a_person(&form)? {
        let given = form.one("nonce")?.unwrap_or_default();
        nonce::refuse(&app.keys, given, &token, app.clock.now()).map(|(_, again)| again)
    } else {
        Some(press::AGAIN)
    };
    let agreed = form.one("link")?.is_some();
    if again.is_some() {
        return ask(&app, &link, &token, &answer, &found, agreed, again);
    }
    let reader = link.reader();
    known::count_as_readers(&app, &answer, reader, agreed).await?;
    // Also after a second press: the page it leads to shows what counts now.
    let mut response = Redirect::to(&format!("/v/{token}/results")).into_response();
    response
        .headers_mut()
        .extend(known::remember(&app, &link.poll, reader));
    Ok(private(response))
}

/// The pending answer, if it belongs to this poll and the reader still exists.
async fn waiting(app: &App, link: &Link, answer: &str) -> Result<Option<Waiting>, Problem> {
    if link.is_test {
        return Ok(None);
    }
    let found = known::waiting(app, answer).await?;
    Ok(found.filter(|found| found.poll == link.poll.id))
}

/// The page. `agreed`: the consent was ticked on it before.
fn ask(
    app: &App,
    link: &Link,
    token: &str,
    answer: &str,
    found: &Waiting,
    agreed: bool,
    again: Option<&'static str>,
) -> Result<Response, Problem> {
    let page = MinePage {
        title: format!("Your answer to “{}”", found.question),
        noindex: true,
        accent_sheet: link.newsletter.as_ref().map(Newsletter::accent_sheet),
        question: &found.question,
        linking: found.linking.as_deref(),
        agreed,
        answer,
        action: format!("/v/{token}/mine"),
        own: format!("/v/{token}"),
        nonce: nonce::give(&app.keys, token, app.clock.now()),
        ask_person: again == Some(press::AGAIN),
        again,
    };
    let mut response = app.pages.render("polls/mail_mine", &page)?;
    if again.is_some() {
        *response.status_mut() = StatusCode::CONFLICT;
    }
    Ok(private(response))
}

/// The poll is closed or the link was truncated. While the poll is open, the reader can answer directly.
async fn nothing(
    app: &App,
    link: &Link,
    token: &str,
    headers: &HeaderMap,
) -> Result<Response, Problem> {
    let phase = link.poll.phase(app.clock.now());
    if matches!(phase, Phase::Open { .. }) {
        return Ok(private(
            Redirect::to(&format!("/v/{token}")).into_response(),
        ));
    }
    let why = not_counted(&link.poll, phase);
    let mut response = finished(app, link, token, headers, Some(why)).await?;
    *response.status_mut() = StatusCode::CONFLICT;
    Ok(private(response))
}
