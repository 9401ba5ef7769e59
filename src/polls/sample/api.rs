//! Random samples for scripts: which there are, how each was drawn, and how many answered. Only editors draw a sample: it
//! is done once, after reviewing it.
//!
//! The rules are the same as for editors: no reader is named, nobody learns who answered, and there is no
//! margin under thirty answers.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Estimate, Round, Sampling, is_as_drawn, store};
use crate::api::Caller;
use crate::api::refusals::Refusals;
use crate::app::App;
use crate::digests;
use crate::newsletters;
use crate::polls::definition::{by_id, by_slug, is_slug};
use crate::polls::results::{Results, totals};
use crate::types::PollId;
use crate::web::Problem;

/// The samples that were drawn.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Samples)]
pub struct SamplesView {
    /// The newest first; at most a hundred.
    samples: Vec<ListedSample>,
    /// The value of `after` for the next page of older samples; absent on the last page.
    next: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
struct ListedSample {
    /// The slug of the sample's own poll.
    poll: String,
    /// The slug of the open poll that asks everybody the same, if there is one.
    beside: Option<String>,
    /// The newsletter's slug.
    newsletter: String,
    /// Its confirmed subscribers at the draw.
    population: i64,
    /// How many of them were drawn.
    drawn: i64,
    /// RFC 3339.
    drawn_at: String,
}

/// How a sample was drawn, and how many answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Sample)]
pub struct SampleView {
    /// The slug of the sample's own poll: `GET /api/v1/polls/{slug}/results` has its result.
    poll: String,
    /// The slug of the open poll that asks everybody the same, if there is one.
    beside: Option<String>,
    /// The newsletter's slug.
    newsletter: String,
    /// RFC 3339.
    drawn_at: String,
    /// The seed, which together with the list reproduces the draw.
    seed: String,
    /// SHA-256 of the list it was drawn from, hexadecimal.
    frame_sha256: String,
    /// Whether repeating the draw gave the same readers; only if `check` asked for it.
    as_drawn: Option<bool>,
    numbers: Estimate,
    /// The invitation and the reminder, if they have been written.
    mails: Vec<MailToSample>,
}

#[derive(Debug, Serialize, ToSchema)]
struct MailToSample {
    round: Round,
    /// The id of the issue.
    issue: i64,
    state: digests::State,
    /// When it was handed to the mailer; RFC 3339.
    handed_at: Option<String>,
    /// The number of readers whose mail was accepted by a relay.
    sent: Option<i64>,
}

/// Where the list continues.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Page {
    after: String,
}

/// Whether to repeat the draw as well.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Check {
    check: bool,
}

/// The random samples that were drawn, the newest first.
///
/// # Errors
/// 401; 422 for an `after` that is not the poll of a sample.
#[utoipa::path(get, path = "/api/v1/samples", tag = "polls", security(("bearer" = [])),
    params(("after" = Option<String>, Query, description = "`next` from the previous page")),
    responses((status = 200, body = SamplesView), Refusals, (status = 422, description = "`after` is not the poll of a sample")))]
pub async fn list(
    State(app): State<App>,
    _: Caller,
    Query(page): Query<Page>,
) -> Result<Response, Problem> {
    let after = match page.after.as_str() {
        "" => None,
        slug => {
            let unknown =
                || Problem::invalid("after", "There is no sample whose poll has this slug.");
            if !is_slug(slug) {
                return Err(unknown());
            }
            let poll = by_slug(&app.db, slug).await?.ok_or_else(unknown)?;
            Some((poll.sample().ok_or_else(unknown)?.drawn_at, poll.id))
        }
    };
    let (found, more) = store::listed(&app.db, after).await?;
    let samples: Vec<ListedSample> = found
        .into_iter()
        .map(|sample| ListedSample {
            poll: sample.poll,
            beside: sample.beside,
            newsletter: sample.newsletter,
            population: sample.population,
            drawn: sample.drawn,
            drawn_at: sample.drawn_at.to_string(),
        })
        .collect();
    let next = samples
        .last()
        .filter(|_| more)
        .map(|last| last.poll.clone());
    Ok(axum::Json(SamplesView { samples, next }).into_response())
}

/// How the sample of a poll was drawn, how many answered, and which mails went to it. The slug of the open poll
/// beside it works as well.
///
/// # Errors
/// 401; 404, also for a poll without a sample.
#[utoipa::path(get, path = "/api/v1/polls/{slug}/sample", tag = "polls", security(("bearer" = [])),
    params(("slug" = String, Path, description = "The poll's slug"),
        ("check" = Option<bool>, Query, description = "Whether to repeat the draw from the list and the seed, and compare")),
    responses((status = 200, body = SampleView), Refusals,
        (status = 404, description = "There is no such poll, or it has no sample")))]
pub async fn show(
    State(app): State<App>,
    _: Caller,
    Path(slug): Path<String>,
    Query(asked): Query<Check>,
) -> Result<Response, Problem> {
    let mut poll = by_slug(&app.db, &slug)
        .await?
        .ok_or_else(Problem::not_found)?;
    if let Sampling::OpenBeside(id) = poll.sampling {
        poll = by_id(&app.db, id).await?.ok_or_else(Problem::not_found)?;
    }
    let sample = poll.sample().ok_or_else(Problem::not_found)?;
    let record = store::record(&app.db, poll.id).await?;
    let record = record.ok_or_else(Problem::not_found)?;
    let letter = newsletters::by_id(app.db.read(), sample.newsletter).await?;
    let beside = slug_of(&app, sample.beside).await?;
    let results = Results::of(&poll, &totals(&app.db, &poll).await?, &[]);
    let as_drawn = match asked.check {
        true => is_as_drawn(&app.db, poll.id).await?,
        false => None,
    };
    let mails = digests::mails_to_sample(&app, poll.id).await?;
    let mails = mails.into_iter().map(|mail| MailToSample {
        round: mail.round,
        issue: mail.issue.0,
        state: mail.state,
        handed_at: mail.handed.map(|at| at.to_string()),
        sent: mail.sent,
    });
    let view = SampleView {
        poll: poll.slug.clone(),
        beside,
        newsletter: letter.ok_or_else(Problem::not_found)?.slug,
        drawn_at: sample.drawn_at.to_string(),
        seed: record.seed,
        frame_sha256: HEXLOWER.encode(&record.frame_sha256),
        as_drawn,
        numbers: results.sample.ok_or_else(Problem::not_found)?,
        mails: mails.collect(),
    };
    Ok(axum::Json(view).into_response())
}

async fn slug_of(app: &App, poll: Option<PollId>) -> Result<Option<String>, Problem> {
    let Some(id) = poll else {
        return Ok(None);
    };
    Ok(by_id(&app.db, id).await?.map(|poll| poll.slug))
}
