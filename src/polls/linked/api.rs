//! Linked answers for scripts: their number, and the export. To write to readers by their answer, create
//! an issue with a `segment`.
//!
//! The rules are the same as for editors: nothing about a secret poll, no reader who has not agreed, no mail to fewer
//! than ten readers, and every export is recorded in its own transaction. A script is identified by its token.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::export::{Document, Format, Taker, take};
use super::segment::{SMALLEST, Tally, chosen};
use super::{Segment, store};
use crate::api::refusals::{Refusals, WriteRefusals};
use crate::api::{Caller, Json};
use crate::app::App;
use crate::polls::definition::by_slug;
use crate::polls::model::{LinkWords, Poll, Tier};
use crate::polls::results::totals;
use crate::web::Problem;

/// The linked answers of a poll, in numbers.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LinkedAnswers)]
pub struct LinkedView {
    /// Readers whose answer is kept with their address.
    linked: i64,
    /// Readers who answered.
    answered: i64,
    /// The consent text they agreed to.
    words: String,
    /// The version of this text.
    version: i64,
    /// The smallest number of readers that an issue for a segment may have.
    smallest_segment: i64,
    questions: Vec<LinkedQuestion>,
    /// The last twenty exports of linked answers, newest first.
    exports: Vec<LinkedExport>,
}

#[derive(Debug, Serialize, ToSchema)]
struct LinkedQuestion {
    /// Position in the poll, from 1.
    key: i64,
    question: String,
    options: Vec<LinkedOption>,
}

#[derive(Debug, Serialize, ToSchema)]
struct LinkedOption {
    /// Names the option in a segment.
    key: i64,
    label: String,
    /// Readers who chose it and agreed.
    linked: i64,
}

#[derive(Debug, Serialize, ToSchema)]
struct LinkedExport {
    /// The editor, or the name of the script's token.
    who: String,
    #[schema(value_type = Format)]
    format: String,
    readers: i64,
    /// RFC 3339.
    at: String,
}

/// The format of the file.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportOrder {
    format: Format,
}

/// How many answers of a linked poll are kept with the reader's address, and who exported them.
///
/// # Errors
/// 401; 404, also for a secret poll.
#[utoipa::path(get, path = "/api/v1/polls/{slug}/linked", tag = "polls", security(("bearer" = [])),
    params(("slug" = String, Path, description = "The poll's slug")),
    responses((status = 200, body = LinkedView), Refusals, (status = 404, description = "There is no such poll, or it is secret")))]
pub async fn show(
    State(app): State<App>,
    _: Caller,
    Path(slug): Path<String>,
) -> Result<Response, Problem> {
    let (poll, words) = linked_poll(&app, &slug).await?;
    let tally = Tally::of(&app.db, poll.id).await?;
    let answered = totals(&app.db, &poll).await?.voters(Tier::Anonymous);
    let questions = poll.questions.iter().map(|question| LinkedQuestion {
        key: question.key,
        question: question.text.clone(),
        options: question
            .options
            .iter()
            .map(|option| LinkedOption {
                key: option.key,
                label: question.shown_label(option),
                linked: tally.of_any(&[option.id]),
            })
            .collect(),
    });
    let exports = store::exports(&app.db, poll.id).await?;
    let exports = exports.into_iter().map(|taken| LinkedExport {
        who: taken.who,
        format: taken.format,
        readers: taken.readers,
        at: taken.at.to_string(),
    });
    let view = LinkedView {
        linked: tally.all(),
        answered,
        words: words.text,
        version: words.version,
        smallest_segment: SMALLEST,
        questions: questions.collect(),
        exports: exports.collect(),
    };
    Ok(axum::Json(view).into_response())
}

/// The file of linked answers: the addresses and answers of the readers who agreed. Each call is recorded with
/// the token's name. It takes no Idempotency-Key: the response would have to be kept, even after readers have
/// withdrawn their consent.
///
/// # Errors
/// 401; 404, also for a secret poll; 422 for an unknown format.
#[utoipa::path(post, path = "/api/v1/polls/{slug}/linked/export", tag = "polls", security(("bearer" = [])),
    params(("slug" = String, Path, description = "The poll's slug")), request_body = ExportOrder,
    responses((status = 200, description = "The file", content((Document = "application/json"), (String = "text/csv"))),
        Refusals, WriteRefusals, (status = 404, description = "There is no such poll, or it is secret"),
        (status = 422, description = "There is no such format")))]
pub async fn export(
    State(app): State<App>,
    caller: Caller,
    Path(slug): Path<String>,
    Json(order): Json<ExportOrder>,
) -> Result<Response, Problem> {
    let (poll, _) = linked_poll(&app, &slug).await?;
    let format = order.format;
    let file = take(&app, &poll, format, Taker::Script(caller.token)).await?;
    let file = file.ok_or_else(Problem::not_found)?;
    Ok((format.headers(&poll.slug), file).into_response())
}

async fn linked_poll(app: &App, slug: &str) -> Result<(Poll, LinkWords), Problem> {
    let poll = by_slug(&app.db, slug).await?;
    let poll = poll.ok_or_else(Problem::not_found)?;
    let words = poll.linking.clone().ok_or_else(Problem::not_found)?;
    Ok((poll, words))
}

/// The segment that a script names for an issue.
///
/// # Errors
/// A 422 that says what to correct: no such poll, a secret poll, no such option, or fewer than ten readers.
pub async fn named_segment(app: &App, slug: &str, keys: &[i64]) -> Result<Segment, Problem> {
    let poll = by_slug(&app.db, slug).await?;
    let poll = poll.filter(|poll| poll.linking.is_some());
    let Some(poll) = poll else {
        return Err(Problem::invalid(
            "segment.poll",
            "No linked poll has this slug.",
        ));
    };
    if let Some(key) = keys
        .iter()
        .find(|key| poll.options().all(|o| o.key != **key))
    {
        let unknown = format!("The poll has no option {key}.");
        return Err(Problem::invalid("segment.options", unknown));
    }
    chosen(app, &poll, keys)
        .await?
        .map_err(|refused| Problem::invalid("segment.options", refused.to_string()))
}
