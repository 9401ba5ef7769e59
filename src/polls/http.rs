//! The poll's own page, `/p/{poll}`: asking and answering.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::{CACHE_CONTROL, VARY};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use super::answer::{AnswerError, Answered, Choice, Reason, Sent, answer};
use super::asking::{allow_embedding, own_choice, own_choice_of, public_poll, wants_json};
use super::ballots::Slip;
use super::embed;
use super::linked;
use super::model::{Phase, Place, Poll};
use super::offer::{self, Left};
use super::order::seed_of;
use super::result_page::{results_response, visible};
use super::retyped::{is_article, retyped, shown, unsent};
use super::share::Shared;
use super::trust::{self, Browser, Showed};
use super::view::{BY_INVITATION, FormPage, FormView, closed, hidden_reason};
use super::voter::{Voter, known, marker, remember};
use crate::app::App;
use crate::db::group_commit::Refused;
use crate::web::{Client, Problem, RawForm, origin};

/// `GET /p/{poll}`: the form, or what there is to see when the poll is not open.
///
/// # Errors
/// 404 for an unknown poll or a draft.
pub async fn page(
    State(app): State<App>,
    Path(slug): Path<String>,
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
            form.shuffle(&poll, seed(&app, &poll, &headers));
            if known.is_some() {
                // A subscriber needs no promise of a newsletter.
                form.newsletter = None;
                form.linking = None;
            }
            linked::offer(&app, &poll, known.as_ref(), &mut form).await?;
            linked::name_reader(&app, &poll, known.as_ref(), &mut form).await?;
            if let Some(own) = &own {
                form.fill_in(&poll, own);
            }
            let shown = visible(&app, &poll, None).await?;
            let share = Shared::of(&app.config.origin(), &poll, shown.as_ref());
            let page = FormPage {
                oembed: Some(embed::oembed::discovery(&app.config.origin(), &poll.slug)),
                share: Some(share),
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
        // Holds nothing of the reader: a cache may keep it, and the form in it works for as long as the poll is open.
        out.insert(
            CACHE_CONTROL,
            HeaderValue::from_static("public, max-age=60"),
        );
    }
    Ok(response)
}

/// Where the random order of options comes from: the marker of who has voted here before, else chance.
pub fn seed(app: &App, poll: &Poll, headers: &HeaderMap) -> u64 {
    match marker(app, headers) {
        Some(marker) => seed_of(&Voter::Browser(marker).key(poll)),
        None => u64::from_le_bytes(app.random.bytes()),
    }
}

/// The form of a poll with the newsletter it promises, empty.
///
/// # Errors
/// What the database said.
pub async fn form(app: &App, poll: &Poll) -> Result<FormView, Problem> {
    let mut form = FormView::of(poll, offer::of(app, poll).await?);
    form.shuffle(poll, u64::from_le_bytes(app.random.bytes()));
    form.results_href = poll
        .shows_results(app.clock.now(), false)
        .then(|| format!("/p/{}/results", poll.slug));
    Ok(form)
}

/// The form of an open poll as it stands in an article of ours, which the result links back to; `None` if it is not open.
///
/// # Errors
/// What the database said.
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

/// `POST /p/{poll}`: answers, and asks for the newsletter if an address was left. The answer counts either way.
///
/// # Errors
/// 403 from a site that may not embed polls, 404, 400 and 413 for malformed forms, 503 when too many wait.
pub async fn submit(
    State(app): State<App>,
    Path(slug): Path<String>,
    client: Client,
    headers: HeaderMap,
    form: RawForm,
) -> Result<Response, Problem> {
    let json = wants_json(&headers);
    let done = submitted(&app, &slug, client, &headers, &form, json).await;
    let mut response = match done {
        Err(problem) if json => problem.into_json(),
        done => done?,
    };
    if json {
        allow_embedding(&app, &headers, &mut response);
    }
    Ok(response)
}

async fn submitted(
    app: &App,
    slug: &str,
    client: Client,
    headers: &HeaderMap,
    form: &RawForm,
    json: bool,
) -> Result<Response, Problem> {
    let from = origin::of(
        headers,
        &app.config.origin(),
        &app.config.http.embed_origins,
    );
    if from == origin::From::Stranger {
        // Boxed, as all that is rare here: the room a vote's future takes is copied and cleared for each vote.
        return Box::pin(unsent(app, slug, &client, headers, form, json)).await;
    }
    let poll = public_poll(app, slug).await?;
    let now = app.clock.now();
    let browser = Browser::read(app, &poll, headers, form, now)?;
    let place = match form.one("place")? {
        Some("article") => Place::Article,
        Some("embed") => Place::Embed,
        _ => Place::PollPage,
    };
    let known = known::reader(app, &poll, headers).await?;
    if let Some(reader) = &known {
        known::take_over(app, &poll, headers, reader).await?;
    }
    let network = app.polls.networks.hash(&client.network(), now);
    if let Showed::Bad(_) = browser.showed {
        let bad = Slip::Refused(poll.id, Reason::BadProof);
        app.polls.queue.submit(bad).await?;
    }
    let mut sent = Sent::of(form);
    if sent.link.is_some() {
        Box::pin(linked::only_own(
            app,
            &poll,
            known.as_ref(),
            form,
            &mut sent,
        ))
        .await?;
    }
    let answered = answer(
        &app.polls,
        poll.clone(),
        &sent,
        known.as_ref().unwrap_or(&browser.voter()),
        place,
        Some(network),
    )
    .await;
    if let Err(AnswerError::Refused(Refused::Unknown)) = &answered {
        // It may count: whoever comes again shall be the same voter.
        let late = Problem::late();
        let mut response = match json {
            true => late.into_json(),
            false => late.into_response(),
        };
        remember(app, &mut response, &browser.marker);
        return Ok(response);
    }
    let answered = answered?;
    let (choice, left) = match answered {
        Answered::Counted { choice, first } => {
            if first && known.is_none() {
                trust::cast(app, &poll, &browser, network, from, headers, &choice);
            }
            let marker = known.is_none().then_some(&*browser.marker);
            let left = offer::take(app, &poll, &client, headers, (form, &sent), marker).await?;
            (choice, left)
        }
        Answered::Invalid(error) if json => {
            return Err(Problem::invalid("option", error.message()));
        }
        Answered::Invalid(error) => {
            let retyped = retyped(app, &poll, form, &sent, seed(app, &poll, headers));
            let mut view = Box::pin(retyped).await?;
            if known.is_some() {
                // As on the page before: a subscriber needs no promise of a newsletter.
                view.newsletter = None;
            }
            let ticked = linked::is_agreed(&poll, &sent);
            linked::offer_again(&poll, known.is_some(), ticked, &mut view);
            linked::name_reader(app, &poll, known.as_ref(), &mut view).await?;
            let page = FormPage {
                errors: view.mark_all(&poll, &sent, error),
                not_me: known.as_ref().map(|_| known::not_me(&poll)),
                ..FormPage::of(&poll, now, view)
            };
            return shown(app, "polls/poll", &page, StatusCode::UNPROCESSABLE_ENTITY);
        }
        refused @ (Answered::NotOpen(_) | Answered::HandedOver | Answered::NotInvited) => {
            let why = match refused {
                Answered::NotOpen(phase) => not_counted(&poll, phase),
                Answered::HandedOver => known::HANDED_OVER.to_owned(),
                _ => not_asked(),
            };
            if json {
                return Err(Problem::conflict(why));
            }
            let own = own_choice(app, &poll, headers).await?;
            let response = results_response(app, &poll, own.as_ref(), |page| {
                page.refused = Some(why);
                page.invitation = None;
                page.counted = false;
            });
            let mut response = Box::pin(response).await?;
            *response.status_mut() = StatusCode::CONFLICT;
            return Ok(response);
        }
        Answered::Edited => {
            return Err(Problem::conflict(
                "The poll was changed just now. Please open it again and answer once more.",
            ));
        }
    };
    let mut response = if json {
        Box::pin(counted_json(app, &poll, &choice, &left)).await?
    } else if let Left::Mend(errors) = left {
        let retyped = retyped(app, &poll, form, &sent, seed(app, &poll, headers));
        let mut view = Box::pin(retyped).await?;
        let mut page_errors = Vec::new();
        for error in errors {
            match error.field.as_str() {
                "consent" => view.consent_error = Some(error.message.clone()),
                _ => view.email_error = Some(error.message.clone()),
            }
            page_errors.push(error);
        }
        let page = FormPage {
            errors: page_errors,
            error_title: "Your answer is counted, the subscription is not",
            counted: true,
            ..FormPage::of(&poll, now, view)
        };
        shown(app, "polls/poll", &page, StatusCode::UNPROCESSABLE_ENTITY)?
    } else {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if left == Left::Asked {
            query.append_pair("mail", "sent");
        }
        if let Some(from) = form.one("from")?.filter(|from| is_article(from)) {
            query.append_pair("from", from);
        }
        let query = query.finish();
        let mark = if query.is_empty() { "" } else { "?" };
        Redirect::to(&format!("/p/{}/results{mark}{query}", poll.slug)).into_response()
    };
    if known.is_none() {
        remember(app, &mut response, &browser.marker);
    }
    Ok(response)
}

/// What a reader is told whose answer came when the poll was not open.
pub fn not_counted(poll: &Poll, phase: Phase) -> String {
    let when = match phase {
        Phase::NotYetOpen { .. } => hidden_reason(poll, phase),
        _ => closed(poll, phase).map_or_else(
            || "This poll is closed.".to_owned(),
            |closed| format!("{closed}."),
        ),
    };
    format!("Your answer was not counted. {when}")
}

/// What a reader is told who was not drawn, or who did not come by the personal link.
pub fn not_asked() -> String {
    format!("Your answer was not counted. {BY_INVITATION}")
}

async fn counted_json(
    app: &App,
    poll: &Poll,
    own: &Choice,
    left: &Left,
) -> Result<Response, Problem> {
    let results = visible(app, poll, Some(own)).await?;
    let phase = poll.phase(app.clock.now());
    let body = serde_json::json!({
        "counted": true,
        "open": true,
        "own": poll.keys(own.options()),
        "message": results.is_none().then(|| hidden_reason(poll, phase)),
        "results": results,
        "mail": (*left == Left::Asked).then_some(offer::LOOK_INTO_INBOX),
        "errors": if let Left::Mend(errors) = left { errors.clone() } else { Vec::new() },
    });
    Ok(axum::Json(body).into_response())
}
