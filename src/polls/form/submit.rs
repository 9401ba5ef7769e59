//! `POST /p/{poll}`: answering.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};

use super::offer::{self, Left};
use super::page::seed;
use super::retyped::{is_article, retyped, shown, unsent};
use super::view::FormPage;
use crate::app::App;
use crate::db::group_commit::Refused;
use crate::polls::answer::{AnswerError, Answered, Choice, Reason, Sent, answer};
use crate::polls::asking::{allow_embedding, own_choice, public_poll, wants_json};
use crate::polls::ballots::Slip;
use crate::polls::linked;
use crate::polls::model::{Place, Poll};
use crate::polls::results::{hidden_reason, not_asked, not_counted, results_response, visible};
use crate::polls::trust::{self, Browser, Showed};
use crate::polls::voter::{known, remember};
use crate::web::{Client, Problem, RawForm, origin};

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
