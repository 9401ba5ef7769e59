//! The form again, with what the reader typed: to be corrected, or to be sent from our own page.

use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::page::{form as form_of, seed};
use super::view::{FormPage, FormView};
use crate::app::App;
use crate::polls::answer::{Reason, Sent};
use crate::polls::asking::public_poll;
use crate::polls::ballots::Slip;
use crate::polls::definition::is_slug;
use crate::polls::linked;
use crate::polls::model::{Phase, Poll};
use crate::polls::trust;
use crate::subscriptions;
use crate::web::{Client, Problem, RawForm};

/// Handles an answer from a page that may not embed polls, or from a feed reader that hides its origin. Nothing is
/// counted, but what was chosen is not lost: the reader gets the filled form on our own page, where no other page can
/// press the button for them.
///
/// # Errors
/// 403 if the poll cannot be answered; 500 or 503 when the database fails or too many answers are waiting.
pub async fn unsent(
    app: &App,
    slug: &str,
    client: &Client,
    headers: &HeaderMap,
    form: &RawForm,
    json: bool,
) -> Result<Response, Problem> {
    let poll = public_poll(app, slug).await?;
    let now = app.clock.now();
    let refused = Slip::Refused(poll.id, Reason::OtherSite);
    app.polls.queue.submit(refused).await?;
    if json || !matches!(poll.phase(now), Phase::Open { .. }) {
        return Err(Problem::wrong_origin());
    }
    // Tells the watch that the poll was opened, since the answer will be sent from this page.
    trust::opened(app, &poll, client);
    // No cookie that says whose browser it is comes with another site's form.
    let seed = seed(app, &poll, headers, None);
    let mut view = retyped(app, &poll, form, &Sent::of(form), seed).await?;
    // A box ticked on another site's page is not consent.
    linked::offer_again(&poll, false, false, &mut view);
    let page = FormPage {
        unsent: true,
        noindex: true,
        ..FormPage::of(&poll, now, view)
    };
    shown(app, "polls/poll", &page, StatusCode::FORBIDDEN)
}

/// The form with everything that was typed.
///
/// # Errors
/// A 500 or 503 when the database fails.
pub async fn retyped(
    app: &App,
    poll: &Poll,
    form: &RawForm,
    sent: &Sent,
    seed: u64,
) -> Result<FormView, Problem> {
    let mut view = form_of(app, poll).await?;
    view.shuffle(poll, seed);
    view.refill(sent);
    view.email = form.all("email").next().unwrap_or_default().to_owned();
    // Never ticked beside a text that this reader has not seen: a cached page may show an older one.
    let given = form.all("consent").next().unwrap_or_default();
    view.consent_checked = view
        .newsletter
        .as_ref()
        .is_some_and(|offer| subscriptions::is_current(given, offer.consent_version));
    if !view.consent_checked && given.trim().parse::<i64>().is_ok() {
        view.consent_error =
            Some("The wording has changed. Please read it and tick the box again.".to_owned());
    }
    linked::offer_again(poll, false, linked::is_agreed(poll, sent), &mut view);
    view.from = form
        .all("from")
        .next()
        .filter(|from| is_article(from))
        .map(str::to_owned);
    view.place = match form.all("place").next() {
        Some("article") => Some("article"),
        Some("embed") => Some("embed"),
        _ => None,
    };
    Ok(view)
}

/// Renders a page with a status of its own.
///
/// # Errors
/// The template fails to render.
pub fn shown(
    app: &App,
    page: &str,
    context: &impl serde::Serialize,
    status: StatusCode,
) -> Result<Response, Problem> {
    let mut response = app.pages.render(page, context)?;
    *response.status_mut() = status;
    Ok(response)
}

/// Whether the path is that of one of our articles, the only pages that a result links back to.
pub fn is_article(path: &str) -> bool {
    path.strip_prefix("/articles/").is_some_and(is_slug)
}
