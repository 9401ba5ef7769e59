//! A vote from a mail: `/v/{token}`. The GET shows, the POST casts.
//!
//! Mail scanners open every link, run its scripts and submit what submits itself. So the link only preselects; the
//! one button counts, with a nonce that the page was given at least [`SLOWEST_SCANNER`] earlier. No token is ever
//! burnt: whatever a machine did before, the reader's own press works.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{ORIGIN, REFERRER_POLICY};
use http::{HeaderMap, HeaderValue, StatusCode};

use super::answer::{Answered, answer};
use super::ballots::Slip;
use super::http::{not_counted, visible};
use super::model::{Phase, Place, Poll};
use super::order::seed_of;
use super::refusals::Reason;
use super::sent::Sent;
use super::store;
use super::view::{FormPage, FormView, ResultsPage};
use super::voter::Voter;
use crate::app::App;
use crate::types::keys::{pack, token_hash, unpack};
use crate::types::{PollId, Purpose, ReaderId, UnixMillis};
use crate::web::{Client, Problem, RawForm, origin};

/// A press that comes sooner after the page was not a person's.
pub const SLOWEST_SCANNER: Duration = Duration::from_millis(700);
/// After so long the page is shown once more before it counts.
const NONCE_LIVES: Duration = Duration::from_secs(24 * 60 * 60);

/// A link, opened.
struct Link {
    poll: Arc<Poll>,
    key: i64,
    voter: Voter,
    /// From a test mail, which belongs to no reader.
    is_test: bool,
}

/// Opens a link: the poll and the option as the mail named them, and the reader it was sent to.
async fn open(app: &App, token: &str) -> Result<Link, Problem> {
    let payload = app
        .keys
        .open(Purpose::Vote, token)
        .map_err(|_| invalid_link())?;
    let [poll, key, reader] = unpack::<3>(&payload).ok_or_else(invalid_link)?;
    let poll = store::by_id(&app.db, PollId(poll))
        .await?
        .ok_or_else(invalid_link)?;
    if poll.phase(app.clock.now()) == Phase::Hidden {
        return Err(invalid_link());
    }
    let is_test = !store::is_reader(&app.db, ReaderId(reader)).await?;
    Ok(Link {
        poll: Arc::new(poll),
        key,
        voter: Voter::Subscriber(ReaderId(reader)),
        is_test,
    })
}

fn invalid_link() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "invalid-link",
        "This link does not work",
        "It may have been cut off when the mail was forwarded or copied. Open it again from the mail itself.",
    )
}

/// `GET /v/{token}`: the option preselected, one button, nothing counted.
///
/// # Errors
/// 404 for a token that is not ours.
pub async fn page(State(app): State<App>, Path(token): Path<String>) -> Result<Response, Problem> {
    let link = open(&app, &token).await?;
    let own = store::own_choice(&app.db, link.poll.id, &[link.voter.key(&link.poll)]).await?;
    if !matches!(link.poll.phase(app.clock.now()), Phase::Open { .. }) {
        return finished(&app, &link, None).await.map(private);
    }
    let mut form = form(&link, &token);
    form.refill(&Sent::options([link.key.to_string()]));
    let again =
        own.map(|_| "You have answered this poll before. Sending this changes your answer.");
    shown(&app, &link, &token, form, again, StatusCode::OK)
}

/// `POST /v/{token}`: casts.
///
/// # Errors
/// 404 for a token that is not ours, 403 for a form of another site, 409 for a test mail, 503 when too many wait.
pub async fn cast(
    State(app): State<App>,
    Path(token): Path<String>,
    client: Client,
    headers: HeaderMap,
    form: RawForm,
) -> Result<Response, Problem> {
    // The page asks for no referrer, so older browsers say "null" with its form.
    let is_null = headers.get(ORIGIN).is_some_and(|origin| origin == "null");
    let from = origin::of(&headers, &app.config.origin(), &[]);
    if from == origin::From::Stranger && !is_null {
        return Err(Problem::wrong_origin());
    }
    let link = open(&app, &token).await?;
    let now = app.clock.now();
    let sent = Sent::of(&form);
    if link.is_test {
        return Err(Problem::conflict(
            "This link is from a test mail. Answers to it are not counted.",
        ));
    }
    let retyped = |link: &Link| {
        let mut view = self::form(link, &token);
        view.refill(&sent);
        view
    };
    if let Some(again) = refuse_nonce(&app, form.one("nonce")?.unwrap_or_default(), &token, now) {
        app.polls
            .queue
            .submit(Slip::Refused(link.poll.id, Reason::TooFast))
            .await?;
        return shown(
            &app,
            &link,
            &token,
            retyped(&link),
            Some(again),
            StatusCode::CONFLICT,
        );
    }
    let network = app.polls.networks.hash(&client.network(), now);
    match answer(
        &app.polls,
        link.poll.clone(),
        &sent,
        &link.voter,
        Place::Mail,
        Some(network),
    )
    .await?
    {
        Answered::Counted { .. } => Ok(private(
            Redirect::to(&format!("/v/{token}/results")).into_response(),
        )),
        Answered::Invalid(error) => {
            let mut view = retyped(&link);
            let field = view.mark(error);
            let page = FormPage {
                errors: vec![field],
                ..with_nonce(&app, &link, &token, view, None)
            };
            render(&app, &page, StatusCode::UNPROCESSABLE_ENTITY)
        }
        Answered::NotOpen(phase) => {
            let mut response = finished(&app, &link, Some(not_counted(&link.poll, phase))).await?;
            *response.status_mut() = StatusCode::CONFLICT;
            Ok(private(response))
        }
        Answered::Edited => Err(Problem::conflict(
            "The poll was changed just now. Please open the link again.",
        )),
    }
}

/// `GET /v/{token}/results`: what was done, and the results as far as they may be seen.
///
/// # Errors
/// 404 for a token that is not ours.
pub async fn results(
    State(app): State<App>,
    Path(token): Path<String>,
) -> Result<Response, Problem> {
    let link = open(&app, &token).await?;
    finished(&app, &link, None).await.map(private)
}

async fn finished(app: &App, link: &Link, refused: Option<String>) -> Result<Response, Problem> {
    let own = store::own_choice(&app.db, link.poll.id, &[link.voter.key(&link.poll)]).await?;
    let results = visible(app, &link.poll, own.as_ref()).await?;
    let mut page = ResultsPage::of(&link.poll, app.clock.now(), results, own.as_ref());
    page.counted &= refused.is_none();
    page.refused = refused;
    page.noindex = true;
    // Back to the mail's own link, where this reader is known; the poll's page would count a second, anonymous one.
    page.change_href = None;
    app.pages.render("polls/results", &page)
}

fn form(link: &Link, token: &str) -> FormView {
    let mut form = FormView {
        action: format!("/v/{token}"),
        ..FormView::of(&link.poll, None)
    };
    form.shuffle(&link.poll, seed_of(&link.voter.key(&link.poll)));
    form
}

fn with_nonce(
    app: &App,
    link: &Link,
    token: &str,
    form: FormView,
    again: Option<&'static str>,
) -> FormPage {
    let now = app.clock.now();
    FormPage {
        nonce: Some(
            app.keys
                .seal(Purpose::VoteNonce, &pack(&[now.0, fingerprint(token)])),
        ),
        again,
        script: None,
        noindex: true,
        ..FormPage::of(&link.poll, now, form)
    }
}

fn shown(
    app: &App,
    link: &Link,
    token: &str,
    form: FormView,
    again: Option<&'static str>,
    status: StatusCode,
) -> Result<Response, Problem> {
    render(app, &with_nonce(app, link, token, form, again), status)
}

fn render(app: &App, page: &FormPage, status: StatusCode) -> Result<Response, Problem> {
    let mut response = app.pages.render("polls/mail_vote", page)?;
    *response.status_mut() = status;
    Ok(private(response))
}

/// Why this nonce does not count; `None`: it does.
fn refuse_nonce(app: &App, nonce: &str, token: &str, now: UnixMillis) -> Option<&'static str> {
    let given = app
        .keys
        .open(Purpose::VoteNonce, nonce)
        .ok()
        .and_then(|payload| unpack::<2>(&payload));
    let Some([at, of]) = given else {
        return Some("Please press the button once more.");
    };
    let age = now.since(UnixMillis(at));
    if of != fingerprint(token) || age > NONCE_LIVES {
        return Some("This page was open for a long time. Please press the button once more.");
    }
    (age < SLOWEST_SCANNER)
        .then_some("That was faster than a person reads. Please press the button once more.")
}

/// Ties a nonce to the link it was given for: 56 bits of a hash.
fn fingerprint(token: &str) -> i64 {
    token_hash(token)
        .iter()
        .take(7)
        .fold(0, |all, byte| (all << 8) | i64::from(*byte))
}

/// Not kept, not indexed, not told to anybody by a referrer.
fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(
        "x-robots-tag",
        HeaderValue::from_static("noindex, nofollow"),
    );
    headers.insert(
        http::header::CACHE_CONTROL,
        HeaderValue::from_static("no-store"),
    );
    response
}
