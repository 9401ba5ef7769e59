//! `POST /p/{poll}`: answering.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, StatusCode};

use super::offer::{self, Left};
use super::page::seed;
use super::retyped::{is_article, retyped, shown, unsent};
use super::typed;
use super::view::{FormPage, FormView, by_input};
use crate::app::App;
use crate::db::group_commit::Refused;
use crate::polls::answer::{
    AnswerError, Answered, Choice, ChoiceError, Reason, Sent, answer_from_page,
};
use crate::polls::asking::{allow_embedding, own_choice, public_poll, wants_json};
use crate::polls::ballots::Slip;
use crate::polls::linked;
use crate::polls::model::{Place, Poll};
use crate::polls::results::{
    Results, hidden_reason, not_asked, not_counted, results_response, stream_of, visible,
};
use crate::polls::trust::{self, Browser, Showed};
use crate::polls::voter::{Voter, known, remember};
use crate::types::UnixMillis;
use crate::web::problems::FieldProblem;
use crate::web::{Client, Problem, RawForm, origin};

/// `POST /p/{poll}`: answers, and requests the newsletter if an address was left. The answer counts either way.
///
/// # Errors
/// 403 from a site that may not embed polls; 404; 400 and 413 for malformed forms; 503 when too
/// many answers are waiting.
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
        // Boxed, like everything rare here: the whole future is copied and cleared for each vote.
        return Box::pin(unsent(app, slug, &client, headers, form, json)).await;
    }
    let request = Request {
        app,
        client: &client,
        headers,
        form,
        json,
        from,
    };
    let vote = Vote::read(request, slug).await?;
    match vote.cast().await {
        Ok(Answered::Counted { choice, .. }) => Ok(vote.counted(&choice).await),
        Ok(Answered::Invalid(error)) if json => {
            let errors = by_input(&vote.poll, &vote.sent, error);
            Err(Problem::invalid_fields(errors))
        }
        Ok(Answered::Invalid(error)) => Box::pin(vote.to_mend(error)).await,
        Ok(Answered::NotOpen(phase)) => vote.not_counted(not_counted(&vote.poll, phase)).await,
        Ok(Answered::HandedOver) => vote.not_counted(known::HANDED_OVER.to_owned()).await,
        Ok(Answered::NotInvited) => vote.not_counted(not_asked()).await,
        Ok(Answered::Edited) => Err(Problem::conflict(
            "The poll has just been changed. Please open it again and answer once more.",
        )),
        Err(AnswerError::Refused(Refused::Unknown)) => Ok(vote.late()),
        Err(error) => Err(error.into()),
    }
}

/// The request.
#[derive(Clone, Copy)]
struct Request<'a> {
    app: &'a App,
    client: &'a Client,
    headers: &'a HeaderMap,
    form: &'a RawForm,
    /// One of our scripts made the request, and gets a response in JSON.
    json: bool,
    /// The origin of the page that sent it.
    from: origin::From,
}

/// An answer being processed: what was sent to which poll, and by whom.
struct Vote<'a> {
    request: Request<'a>,
    now: UnixMillis,
    poll: Arc<Poll>,
    place: Place,
    browser: Browser,
    /// The reader that this browser is known to be.
    known: Option<Voter>,
    network: [u8; 8],
    sent: Sent,
}

impl<'a> Vote<'a> {
    /// Finds the poll and the voter, and hands the browser's ballot over if it turns out to be a reader's.
    async fn read(request: Request<'a>, slug: &str) -> Result<Self, Problem> {
        let Request {
            app, headers, form, ..
        } = request;
        let poll = public_poll(app, slug).await?;
        let now = app.clock.now();
        let browser = Browser::read(app, &poll, headers, form, now)?;
        let place = match form.one("place")? {
            Some("article") => Place::Article,
            Some("embed") => Place::Embed,
            _ => Place::PollPage,
        };
        // Malformed fields are rejected before the ballot is in the box.
        for field in ["email", "consent", "newsletter", "website", "from"] {
            form.one(field)?;
        }
        let known = known::reader(app, &poll, headers).await?;
        if let Some(reader) = &known {
            Box::pin(known::take_over(app, &poll, headers, reader)).await?;
        }
        let network = app.polls.networks.hash(&request.client.network(), now);
        if let Showed::Bad(_) = browser.showed {
            let bad = Slip::Refused(poll.id, Reason::BadProof);
            Box::pin(app.polls.queue.submit(bad)).await?;
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
        Ok(Self {
            request,
            now,
            poll,
            place,
            browser,
            known,
            network,
            sent,
        })
    }

    /// Puts the answer into the ballot box.
    async fn cast(&self) -> Result<Answered, AnswerError> {
        let Request {
            app, headers, from, ..
        } = self.request;
        let unknown = self.known.is_none();
        let manner = unknown.then(|| trust::manner(app, &self.browser, from, headers, self.now));
        answer_from_page(
            &app.polls,
            self.poll.clone(),
            &self.sent,
            self.known.as_ref().unwrap_or(&self.browser.voter()),
            self.place,
            (self.network, manner),
            unknown && !self.browser.came_before,
        )
        .await
    }

    /// The answer may or may not count. The marker is set, so that a reader who tries again is the same voter.
    fn late(&self) -> Response {
        let late = Problem::late();
        let mut response = match self.request.json {
            true => late.into_json(),
            false => late.into_response(),
        };
        remember(self.request.app, &mut response, &self.browser.marker);
        response
    }

    /// The answer counts.
    async fn counted(&self, choice: &Choice) -> Response {
        let Request { app, json, .. } = self.request;
        // Set the marker whatever happens next: the ballot is in the box, and a reader who tries
        // again must be the same voter.
        let mut response = match self.answered(choice).await {
            Err(problem) if json => problem.into_json(),
            done => done.into_response(),
        };
        if self.known.is_none() {
            remember(app, &mut response, &self.browser.marker);
        }
        response
    }

    /// Requests the newsletter if an address was left, and redirects to the result.
    async fn answered(&self, choice: &Choice) -> Result<Response, Problem> {
        let Request {
            app,
            client,
            headers,
            form,
            json,
            ..
        } = self.request;
        let poll = &self.poll;
        let marker = self.known.is_none().then_some(&*self.browser.marker);
        let left = match offer::take(app, poll, client, headers, (form, &self.sent), marker).await {
            Err(problem) if problem.status().is_server_error() => offer::not_taken(),
            left => left?,
        };
        if json {
            let email = self.request.form.line("email")?;
            return Box::pin(counted_json(app, poll, choice, &left, &email)).await;
        }
        match left {
            Left::Mend(errors) => Box::pin(self.address_to_mend(errors)).await,
            left => self.to_results(&left),
        }
    }

    /// Redirects to the result; the query says whether a mail was sent, and names the article to go back to.
    fn to_results(&self, left: &Left) -> Result<Response, Problem> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if *left == Left::Asked {
            query.append_pair("mail", "sent");
        }
        let from = self.request.form.one("from")?;
        if let Some(from) = from.filter(|from| is_article(from)) {
            query.append_pair("from", from);
        }
        let query = query.finish();
        let mark = if query.is_empty() { "" } else { "?" };
        let to = format!("/p/{}/results{mark}{query}", self.poll.slug);
        let mut response = Redirect::to(&to).into_response();
        if *left == Left::Asked {
            let email = self.request.form.text("email")?;
            typed::remember(self.request.app, &mut response, &self.poll, &email);
        }
        Ok(response)
    }

    /// The form with everything that was typed.
    async fn retyped(&self) -> Result<FormView, Problem> {
        let Request {
            app, headers, form, ..
        } = self.request;
        let seed = seed(app, &self.poll, headers, self.known.as_ref());
        retyped(app, &self.poll, form, &self.sent, seed).await
    }

    /// The answer counts, but something must be corrected before the newsletter can be requested.
    async fn address_to_mend(&self, errors: Vec<FieldProblem>) -> Result<Response, Problem> {
        let mut view = self.retyped().await?;
        for error in &errors {
            match error.field.as_str() {
                "consent" => view.consent_error = Some(error.message.clone()),
                _ => view.email_error = Some(error.message.clone()),
            }
        }
        let page = FormPage {
            errors,
            error_title: "Your answer has been counted, but you are not subscribed yet",
            counted: true,
            ..FormPage::of(&self.poll, self.now, view)
        };
        self.again(&page)
    }

    /// The answer is invalid: shows the form again, with the reasons.
    async fn to_mend(&self, error: ChoiceError) -> Result<Response, Problem> {
        let (app, poll, known) = (self.request.app, &self.poll, self.known.as_ref());
        let mut view = self.retyped().await?;
        if known.is_some() {
            // As on the page before, the offer is pointless for a subscriber.
            view.newsletter = None;
        }
        let ticked = linked::is_agreed(poll, &self.sent);
        linked::offer_again(poll, known.is_some(), ticked, &mut view);
        linked::name_reader(app, poll, known, &mut view).await?;
        let page = FormPage {
            errors: view.mark_all(poll, &self.sent, error),
            not_me: known.map(|_| known::not_me(poll)),
            ..FormPage::of(poll, self.now, view)
        };
        self.again(&page)
    }

    fn again(&self, page: &FormPage) -> Result<Response, Problem> {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        shown(self.request.app, "polls/poll", page, status)
    }

    /// The answer came too late, too early, or from somebody who is not asked: shows what there is to see, and why.
    async fn not_counted(&self, why: String) -> Result<Response, Problem> {
        if self.request.json {
            return Err(Problem::conflict(why));
        }
        Box::pin(self.results_and(why)).await
    }

    async fn results_and(&self, why: String) -> Result<Response, Problem> {
        let Request { app, headers, .. } = self.request;
        let own = own_choice(app, &self.poll, headers).await?;
        let mut response = results_response(app, &self.poll, own.as_ref(), |page| {
            page.refused = Some(why);
            page.invitation = None;
            page.counted = false;
        })
        .await?;
        *response.status_mut() = StatusCode::CONFLICT;
        Ok(response)
    }
}

async fn counted_json(
    app: &App,
    poll: &Poll,
    own: &Choice,
    left: &Left,
    email: &str,
) -> Result<Response, Problem> {
    let results = visible(app, poll, true, Some(own)).await?;
    let phase = poll.phase(app.clock.now());
    let body = serde_json::json!({
        "counted": true,
        "open": true,
        "own": results.iter().flat_map(Results::own).collect::<Vec<_>>(),
        "live": stream_of(app, poll, true),
        "message": results.is_none().then(|| hidden_reason(poll, phase)),
        "results": results,
        "mail": (*left == Left::Asked).then(|| offer::look_into_inbox_of(email)),
        "errors": if let Left::Mend(errors) = left { errors.clone() } else { Vec::new() },
    });
    Ok(axum::Json(body).into_response())
}
