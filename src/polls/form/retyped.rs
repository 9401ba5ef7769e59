//! The form again, with what the reader typed: to be mended, or to be sent from here.

use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::page::{form as form_of, seed};
use super::view::{FormPage, FormView};
use crate::app::App;
use crate::polls::answer::Sent;
use crate::polls::asking::public_poll;
use crate::polls::definition::is_slug;
use crate::polls::linked;
use crate::polls::model::{Phase, Poll};
use crate::polls::trust;
use crate::subscriptions;
use crate::web::{Client, Problem, RawForm};

/// An answer from a page that may not embed polls, or from a feed reader that hides its origin: nothing is counted, but
/// nothing that was chosen is lost either. It is one button away, on a page of ours that no other page can press for the reader.
///
/// # Errors
/// 403 where nothing can be answered; what the database said.
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
    if json || !matches!(poll.phase(now), Phase::Open { .. }) {
        return Err(Problem::wrong_origin());
    }
    // Here it is opened, for whoever sends it from here.
    trust::opened(app, &poll, client);
    let mut view = retyped(app, &poll, form, &Sent::of(form), seed(app, &poll, headers)).await?;
    // What another site's page ticked nobody has agreed to.
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
/// What the database said.
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
    // Never ticked beside words that this reader has not seen: a cached page may show older ones.
    let given = form.all("consent").next().unwrap_or_default();
    view.consent_checked = view
        .newsletter
        .as_ref()
        .is_some_and(|offer| subscriptions::is_current(given, offer.consent_version));
    if !view.consent_checked && given.trim().parse::<i64>().is_ok() {
        view.consent_error =
            Some("The words have changed. Read them and tick the box again.".to_owned());
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

/// A page with a status of its own.
///
/// # Errors
/// A template that fails.
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

/// Articles of ours: the only pages a result links back to.
pub fn is_article(path: &str) -> bool {
    path.strip_prefix("/articles/").is_some_and(is_slug)
}
