//! The result page: `/p/{poll}/results`, and everywhere else that shows a result.

use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::HeaderMap;
use serde::Deserialize;

use super::beside::beside;
use super::secrecy;
use super::view::ResultsPage;
use super::{Results, totals};
use crate::app::App;
use crate::newsletters::{self, Newsletter};
use crate::polls::answer::Choice;
use crate::polls::asking::{own_choice_of, public_poll};
use crate::polls::embed;
use crate::polls::form::{is_article, just_typed, offer};
use crate::polls::linked;
use crate::polls::model::Poll;
use crate::polls::share::{Shared, json_ld};
use crate::polls::voter::known;
use crate::web::Problem;

/// The results, if this reader may see them now: some are shown only to those who have `answered`. The answers in `own`
/// are marked as the reader's.
///
/// # Errors
/// A 500 or 503 when the database fails.
pub async fn visible(
    app: &App,
    poll: &Poll,
    answered: bool,
    own: Option<&Choice>,
) -> Result<Option<Results>, Problem> {
    if !poll.shows_results(app.clock.now(), answered) {
        return Ok(None);
    }
    let totals = totals(&app.db, poll).await?;
    Ok(Some(Results::of(
        poll,
        &totals,
        own.map(Choice::options).unwrap_or_default(),
    )))
}

/// The result page of a reader who answered `own`. `change` adjusts the page before it is rendered.
///
/// # Errors
/// A 500 or 503 when the database fails.
pub async fn results_response(
    app: &App,
    poll: &Poll,
    own: Option<&Choice>,
    change: impl FnOnce(&mut ResultsPage),
) -> Result<Response, Problem> {
    let results = visible(app, poll, own.is_some(), own).await?;
    let (now, origin) = (app.clock.now(), app.config.origin());
    // Results that this reader sees only because of their answer are not shared.
    let public = results.as_ref().filter(|_| poll.shows_results(now, false));
    let share = Shared::of(&origin, poll, public, now);
    let json_ld = public.and_then(|results| json_ld(&origin, poll, results));
    let newsletter = match poll.newsletter {
        Some(id) => newsletters::by_id(app.db.read(), id).await?,
        None => None,
    };
    let mut page = ResultsPage {
        accent_sheet: newsletter.as_ref().map(Newsletter::accent_sheet),
        lang: newsletter.map(|newsletter| newsletter.language),
        share: Some(share),
        json_ld,
        beside: beside(app, poll).await?,
        ..ResultsPage::of(poll, now, results, own)
    };
    secrecy::tell(app, poll, &mut page).await?;
    change(&mut page);
    app.pages.render("polls/results", &page)
}

/// The query of the page's URL.
#[derive(Debug, Default, Deserialize)]
pub struct Arrived {
    #[serde(default)]
    mail: String,
    #[serde(default)]
    from: String,
}

/// `GET /p/{poll}/results`
///
/// # Errors
/// 404 for an unknown poll or a draft.
pub async fn page(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(arrived): Query<Arrived>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let poll = public_poll(&app, &slug).await?;
    let known = known::reader(&app, &poll, &headers).await?;
    // The form asks for an address where it knows no reader's, and whom it does not know at all it would count twice.
    let unknown = known.is_none();
    let own = own_choice_of(&app, &poll, &headers, known).await?;
    let linked = linked::note_by(&app, &poll, &headers).await?;
    let newsletter = match arrived.mail.as_str() {
        "sent" => offer::of(&app, &poll).await?,
        _ => None,
    };
    results_response(&app, &poll, own.as_ref(), |page| {
        page.linked = linked;
        page.back_href = is_article(&arrived.from).then_some(arrived.from);
        // A reader who changes the answer also finds the way back.
        if let (Some(change), Some(back)) = (&mut page.change_href, &page.back_href) {
            let from = form_urlencoded::Serializer::new(String::new())
                .append_pair("from", back)
                .finish();
            *change = format!("{change}?{from}");
        }
        if let Some(newsletter) = newsletter {
            let email = just_typed(&app, &poll, &headers);
            page.mail = Some(email.map_or_else(
                || offer::LOOK_INTO_INBOX.to_owned(),
                |email| offer::look_into_inbox_of(&email),
            ));
            let form = page
                .change_href
                .as_ref()
                .filter(|_| unknown && own.is_some());
            page.other_address_href = Some(form.map_or_else(
                || format!("/subscribe/{}", newsletter.slug),
                |form| format!("{form}#email"),
            ));
        }
        page.noindex = own.is_some();
        page.oembed = Some(embed::oembed::discovery(&app.config.origin(), &poll.slug));
    })
    .await
}
