//! A vote from a mail: `/v/{token}`. The GET shows the form, the POST casts the vote.
//!
//! Mail scanners open every link, run its scripts and submit forms that submit themselves. So the link only preselects
//! an option. The vote is cast by the one button, with a nonce that the page was issued a moment earlier, and, where
//! scripts run, only after a person has touched the page ([`press`]). No token is ever used up: whatever a machine did
//! before, the reader's own press works.
//!
//! The link is the ballot: it works until the poll closes, even for a reader who has left the newsletter. Only an
//! erased reader has no ballot any more.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, Method, StatusCode};

use super::link::{Said, by_one_link};
use super::looks::from;
use super::store::newsletter_of;
use super::visit::Target;
use super::{nonce, private};
use crate::app::App;
use crate::db::DbErr;
use crate::newsletters::Newsletter;
use crate::polls::answer::{Answered, Choice, ChoiceError, Reason, Sent, answer_from_mail};
use crate::polls::ballots::{self, Slip};
use crate::polls::definition;
use crate::polls::form::{ANSWERED_BEFORE, FormPage, FormView, More, PROBLEM, seed_of};
use crate::polls::linked;
use crate::polls::model::{Phase, Poll};
use crate::polls::results::{ResultsPage, beside, not_counted, secrecy, visible};
use crate::polls::voter::{Voter, known};
use crate::types::{IssueId, ReaderId};
use crate::web::{Client, Problem, RawForm, assets, origin, press};

/// An opened link.
pub(super) struct Link {
    pub poll: Arc<Poll>,
    said: Said,
    voter: Voter,
    /// The newsletter of the mail, which gives the page its colour and language.
    pub newsletter: Option<Newsletter>,
    /// From a test mail, which belongs to no reader.
    pub is_test: bool,
}

impl Link {
    /// The reader it was sent to.
    pub fn reader(&self) -> ReaderId {
        self.said.reader
    }

    /// The mail it was in.
    fn mail(&self) -> (IssueId, ReaderId) {
        (self.said.issue.unwrap_or(IssueId(0)), self.said.reader)
    }

    /// What opening it counts as.
    fn target(&self) -> Target {
        let poll = self.poll.id;
        let of = self
            .poll
            .questions
            .first()
            .map_or(0, |q| by_one_link(q).len());
        match self.said.key {
            key if key != 0 && of != 0 => Target::Option { poll, key, of },
            _ => Target::Whole(poll),
        }
    }
}

/// Refuses a form that was sent by another site's page.
pub(super) fn refuse_strangers(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    origin::refuse_strangers(headers, &app.config.origin()).map(drop)
}

/// Opens a link: the poll and the option as the mail named them, and the reader it was sent to.
pub(super) async fn open(app: &App, token: &str) -> Result<Link, Problem> {
    let said = Said::read(&app.keys, token).ok_or_else(invalid_link)?;
    let poll = definition::by_id(&app.db, said.poll)
        .await?
        .ok_or_else(invalid_link)?;
    if poll.phase(app.clock.now()) == Phase::Hidden {
        return Err(invalid_link());
    }
    let is_test = !known::is_reader(&app.db, said.reader).await?;
    Ok(Link {
        newsletter: newsletter_of(&app.db, said.issue, &poll).await?,
        poll: Arc::new(poll),
        said,
        voter: Voter::Subscriber(said.reader),
        is_test,
    })
}

fn invalid_link() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "invalid-link",
        "This link does not work",
        "It may have been cut off when the email was forwarded or copied. Please open it again from the email itself.",
    )
}

/// `GET /v/{token}`: preselects the option and shows one button; nothing is counted.
///
/// # Errors
/// 404 for an invalid token.
pub async fn page(
    State(app): State<App>,
    Path(token): Path<String>,
    method: Method,
    client: Client,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let link = open(&app, &token).await?;
    let own = own_choice(&app, &link).await?;
    if !link.is_test
        && let Some(look) = from(&app, &method, &client, &headers, link.target())
    {
        app.polls.looks.note(link.mail(), look);
        // A reader who has answered before and comes back must not count as one who only looked.
        if own.is_some() {
            app.polls.looks.answered(link.mail(), link.poll.id);
        }
    }
    if !matches!(link.poll.phase(app.clock.now()), Phase::Open { .. }) {
        let page = finished(&app, &link, &token, &headers, None).await?;
        return Ok(private(page));
    }
    if !link.is_test && !link.voter.is_asked_by(&link.poll) {
        return not_drawn(&app, &link, StatusCode::OK).await;
    }
    let mut form = form(&link, &token);
    form.refill(&Sent::options([link.said.key.to_string()]));
    linked::offer(&app, &link.poll, Some(&link.voter), &mut form).await?;
    let again = match own {
        _ if link.is_test => Some(NOBODYS),
        own => own.map(|_| ANSWERED_BEFORE),
    };
    let more = again.is_none().then(|| more(&link)).flatten();
    let open = link.is_test && link.poll.is_open_to_all(app.clock.now());
    let page = FormPage {
        more,
        poll_page: open.then(|| format!("/p/{}", link.poll.slug)),
        ..with_nonce(&app, &link, &token, form, again)
    };
    render(&app, &page, StatusCode::OK)
}

/// `POST /v/{token}`: casts the vote.
///
/// # Errors
/// 404 for an invalid token; 403 for a form from another site; 409 for a test mail; 503 when too
/// many answers are waiting.
pub async fn cast(
    State(app): State<App>,
    Path(token): Path<String>,
    client: Client,
    headers: HeaderMap,
    form: RawForm,
) -> Result<Response, Problem> {
    refuse_strangers(&app, &headers)?;
    let link = open(&app, &token).await?;
    if link.is_test {
        return Err(Problem::conflict(NOBODYS));
    }
    let now = app.clock.now();
    let sent = Sent::of(&form);
    let vote = Vote {
        app: &app,
        link: &link,
        token: &token,
        headers: &headers,
        sent: &sent,
    };
    let refused = if press::is_by_a_person(&form)? {
        let nonce = form.one("nonce")?.unwrap_or_default();
        nonce::refuse(&app.keys, nonce, &token, now)
    } else {
        Some((Reason::Untouched, press::AGAIN))
    };
    if let Some((reason, again)) = refused {
        return vote.once_more(reason, again).await;
    }
    known::take_over(&app, &link.poll, &headers, &link.voter).await?;
    let network = app.polls.networks.hash(&client.network(), now);
    let (poll, mail) = (link.poll.clone(), link.mail());
    match answer_from_mail(&app.polls, poll, &sent, &link.voter, mail, network).await? {
        Answered::Counted { .. } => Ok(vote.counted()),
        Answered::Invalid(error) => vote.invalid(error),
        Answered::NotOpen(phase) => vote.not_open(phase).await,
        Answered::HandedOver => Err(Problem::conflict(known::HANDED_OVER)),
        Answered::NotInvited => not_drawn(&app, &link, StatusCode::CONFLICT).await,
        Answered::Edited => Err(Problem::conflict(
            "The poll has just been changed. Please open the link again.",
        )),
    }
}

/// A press of the button, and the page in response.
struct Vote<'v> {
    app: &'v App,
    link: &'v Link,
    token: &'v str,
    headers: &'v HeaderMap,
    sent: &'v Sent,
}

impl Vote<'_> {
    /// The form with everything that was sent.
    fn retyped(&self) -> FormView {
        let poll = &self.link.poll;
        let mut view = form(self.link, self.token);
        view.refill(self.sent);
        linked::offer_again(poll, true, linked::is_agreed(poll, self.sent), &mut view);
        view
    }

    /// Casts nothing, since it may have been a machine: counts the refusal, and asks for another press of the button.
    async fn once_more(&self, reason: Reason, again: &'static str) -> Result<Response, Problem> {
        let refused = Slip::Refused(self.link.poll.id, reason);
        self.app.polls.queue.submit(refused).await?;
        let form = self.retyped();
        let page = FormPage {
            ask_person: reason == Reason::Untouched,
            ..with_nonce(self.app, self.link, self.token, form, Some(again))
        };
        render(self.app, &page, StatusCode::CONFLICT)
    }

    /// The vote counts; from now on the browser is known to be the reader's.
    fn counted(&self) -> Response {
        let results = Redirect::to(&format!("/v/{}/results", self.token));
        let mut response = results.into_response();
        let known = known::remember(self.app, &self.link.poll, self.link.said.reader);
        response.headers_mut().extend(known);
        private(response)
    }

    fn invalid(&self, error: ChoiceError) -> Result<Response, Problem> {
        let title = if error.is_missing() {
            "An answer is still missing"
        } else {
            PROBLEM
        };
        let mut view = self.retyped();
        let page = FormPage {
            error_title: title,
            errors: view.mark_all(&self.link.poll, self.sent, error),
            ..with_nonce(self.app, self.link, self.token, view, None)
        };
        render(self.app, &page, StatusCode::UNPROCESSABLE_ENTITY)
    }

    async fn not_open(&self, phase: Phase) -> Result<Response, Problem> {
        let why = not_counted(&self.link.poll, phase);
        let (app, token) = (self.app, self.token);
        let mut response = finished(app, self.link, token, self.headers, Some(why)).await?;
        *response.status_mut() = StatusCode::CONFLICT;
        Ok(private(response))
    }
}

/// `GET /v/{token}/results`: what was done, and the results as far as this reader may see them.
///
/// # Errors
/// 404 for an invalid token.
pub async fn results(
    State(app): State<App>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let link = open(&app, &token).await?;
    let page = finished(&app, &link, &token, &headers, None).await?;
    Ok(private(page))
}

/// The poll asks a sample, and the reader of this mail is not in it.
async fn not_drawn(app: &App, link: &Link, status: StatusCode) -> Result<Response, Problem> {
    let results = visible(app, &link.poll, false, None).await?;
    let page = ResultsPage {
        invitation: None,
        refused: Some(NOT_DRAWN.to_owned()),
        accent_sheet: link.newsletter.as_ref().map(Newsletter::accent_sheet),
        lang: link.newsletter.as_ref().map(|n| n.language.clone()),
        beside: beside(app, &link.poll).await?,
        noindex: true,
        ..ResultsPage::of(&link.poll, app.clock.now(), results, None)
    };
    let mut response = app.pages.render("polls/results", &page)?;
    *response.status_mut() = status;
    Ok(private(response))
}

const NOBODYS: &str = "This link comes from a test email, or its reader’s data has been erased. Answers given through it are not counted.";

const BY_LINK: &str =
    "An answer has been given by this link. It is shown only in the browser in which it was given.";

const NOT_DRAWN: &str =
    "This poll is for a random sample of subscribers, and you were not selected this time.";

/// What its reader answered. An erased reader's link reveals nothing: the ballot remains, and belongs to nobody.
async fn own_choice(app: &App, link: &Link) -> Result<Option<Choice>, DbErr> {
    match link.is_test {
        false => ballots::own_choice(&app.db, link.poll.id, link.voter.key(&link.poll)).await,
        true => Ok(None),
    }
}

/// What counts, and the results as far as this reader may see them. What the reader answered is shown only to a browser
/// that is known to be theirs: whoever gets a forwarded mail opens the same page.
pub(super) async fn finished(
    app: &App,
    link: &Link,
    token: &str,
    headers: &HeaderMap,
    refused: Option<String>,
) -> Result<Response, Problem> {
    let answered = own_choice(app, link).await?;
    let is_known = known::is_known_as(app, &link.poll, headers, link.reader());
    let own = answered.as_ref().filter(|_| is_known);
    let results = visible(app, &link.poll, answered.is_some(), own).await?;
    let mut page = ResultsPage::of(&link.poll, app.clock.now(), results, own);
    if answered.is_some() && !is_known {
        page.by_link = Some(BY_LINK);
        page.change_label = "Change the answer";
    }
    page.accent_sheet = link.newsletter.as_ref().map(Newsletter::accent_sheet);
    page.lang = link.newsletter.as_ref().map(|n| n.language.clone());
    secrecy::tell(app, &link.poll, &mut page).await?;
    page.linked = linked::note(app, &link.poll, Some(&link.voter)).await?;
    page.counted &= refused.is_none();
    page.refused = refused;
    page.noindex = true;
    // Leads back to the mail's own link, where this reader is known: an answer on the poll's page would be
    // a second, anonymous one.
    let open = matches!(link.poll.phase(app.clock.now()), Phase::Open { .. });
    page.change_href = open.then(|| format!("/v/{token}"));
    page.invitation = None;
    page.beside = beside(app, &link.poll).await?;
    app.pages.render("polls/results", &page)
}

fn form(link: &Link, token: &str) -> FormView {
    let mut form = FormView {
        action: format!("/v/{token}"),
        accent_sheet: link.newsletter.as_ref().map(Newsletter::accent_sheet),
        lang: link.newsletter.as_ref().map(|n| n.language.clone()),
        ..FormView::of(&link.poll, None)
    };
    form.shuffle(&link.poll, seed_of(&link.voter.key(&link.poll)));
    form
}

/// The hint about the questions that the mail did not ask, if its link has answered the first.
fn more(link: &Link) -> Option<More> {
    let next = link.poll.questions.get(1)?;
    let words = match link.poll.questions.len() - 1 {
        1 => "There is one more question below it, and one button sends both.".to_owned(),
        n => format!("There are {n} more questions below it, and one button sends them all."),
    };
    (link.said.key != 0).then(|| More {
        words,
        to: format!("q{}", next.key),
    })
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
        nonce: Some(nonce::give(&app.keys, token, now)),
        script: assets::url("gesture.js"),
        again,
        noindex: true,
        ..FormPage::of(&link.poll, now, form)
    }
}

fn render(app: &App, page: &FormPage, status: StatusCode) -> Result<Response, Problem> {
    let mut response = app.pages.render("polls/mail_vote", page)?;
    *response.status_mut() = status;
    Ok(private(response))
}
