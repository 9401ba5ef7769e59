//! The poll's own page, `GET /p/{poll}`, and its form on other pages of ours.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::header::{CACHE_CONTROL, VARY};
use http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;

use super::offer;
use super::order::seed_of;
use super::retyped::is_article;
use super::view::{FormPage, FormView};
use crate::app::App;
use crate::polls::asking::{own_choice_of, public_poll};
use crate::polls::embed;
use crate::polls::linked;
use crate::polls::model::{Place, Poll};
use crate::polls::results::{results_response, visible};
use crate::polls::share::Shared;
use crate::polls::trust;
use crate::polls::voter::{Voter, known, marker};
use crate::web::{Client, Problem};

/// The query of the page's URL.
#[derive(Debug, Default, Deserialize)]
pub struct Arrived {
    /// The article to go back to.
    #[serde(default)]
    from: String,
}

/// Shown above the form to a reader who has already answered.
pub const ANSWERED_BEFORE: &str =
    "You have already answered this poll. You can change your answer here.";

/// `GET /p/{poll}`: the form, or what is shown while the poll is not open.
///
/// # Errors
/// 404 for an unknown poll or a draft.
pub async fn page(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(arrived): Query<Arrived>,
    method: Method,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let poll = public_poll(&app, &slug).await?;
    trust::opened(&app, &poll, &client);
    let now = app.clock.now();
    let known = known::reader(&app, &poll, &headers).await?;
    let own = own_choice_of(&app, &poll, &headers, known.clone()).await?;
    let mut response = match poll.is_open_to_all(now) {
        true => {
            app.polls.views.count(poll.id, Place::PollPage, &method);
            let mut form = form(&app, &poll).await?;
            form.from = is_article(&arrived.from).then_some(arrived.from);
            form.shuffle(&poll, seed(&app, &poll, &headers, known.as_ref()));
            if known.is_some() {
                // The offer is pointless for a subscriber.
                form.newsletter = None;
                form.linking = None;
            }
            linked::offer(&app, &poll, known.as_ref(), &mut form).await?;
            linked::name_reader(&app, &poll, known.as_ref(), &mut form).await?;
            if let Some(own) = &own {
                form.fill_in(&poll, own);
            }
            let shown = visible(&app, &poll, false, None).await?;
            let share = Shared::of(&app.config.origin(), &poll, shown.as_ref(), now);
            let page = FormPage {
                oembed: Some(embed::oembed::discovery(&app.config.origin(), &poll.slug)),
                share: Some(share),
                again: own.as_ref().map(|_| ANSWERED_BEFORE),
                not_me: known.as_ref().map(|_| known::not_me(&poll)),
                ..FormPage::of(&poll, now, form)
            };
            app.pages.render("polls/poll", &page)?
        }
        false => {
            let linked = linked::note(&app, &poll, known.as_ref()).await?;
            results_response(&app, &poll, own.as_ref(), |page| page.linked = linked).await?
        }
    };
    let out = response.headers_mut();
    out.insert(VARY, HeaderValue::from_static("Cookie"));
    if own.is_none() && known.is_none() {
        // The page has nothing about the reader: a shared cache may keep it, and its form works for as long as the poll
        // is open. The browser may not cache it: not every browser respects Vary, and a reader who has answered in
        // between would see an empty form.
        out.insert(
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=0, s-maxage=60"),
        );
    }
    Ok(response)
}

/// The seed for the random order of options: that of the mail's link, for a reader that this browser is known as; that
/// of the marker, for a browser that has voted here before; else random.
pub fn seed(app: &App, poll: &Poll, headers: &HeaderMap, known: Option<&Voter>) -> u64 {
    let browser = || marker(app, headers).map(Voter::Browser);
    match known.cloned().or_else(browser) {
        Some(voter) => seed_of(&voter.key(poll)),
        None => u64::from_le_bytes(app.random.bytes()),
    }
}

/// The empty form of a poll, with the newsletter it offers.
///
/// # Errors
/// A 500 or 503 when the database fails.
pub async fn form(app: &App, poll: &Poll) -> Result<FormView, Problem> {
    let mut form = FormView::of(poll, offer::of(app, poll).await?);
    form.shuffle(poll, u64::from_le_bytes(app.random.bytes()));
    form.results_href = poll
        .shows_results(app.clock.now(), false)
        .then(|| format!("/p/{}/results", poll.slug));
    Ok(form)
}

/// The form of an open poll for one of our articles, with the result linking back to the article;
/// `None` if it is not open.
///
/// # Errors
/// A 500 or 503 when the database fails.
pub async fn form_for_article(
    app: &App,
    slug: &str,
    from: &str,
    method: &Method,
    client: &Client,
) -> Result<Option<FormView>, Problem> {
    let Some(poll) = app.polls.book.poll(slug).await? else {
        return Ok(None);
    };
    if !poll.is_open_to_all(app.clock.now()) {
        return Ok(None);
    }
    trust::opened(app, &poll, client);
    app.polls.views.count(poll.id, Place::Article, method);
    let form = form(app, &poll).await?;
    Ok(Some(FormView {
        place: Some("article"),
        from: Some(from.to_owned()),
        headline: false,
        ..form
    }))
}
