//! What the templates of forms are filled with.

use serde::Serialize;

use super::question_view::{QuestionView, needs_a_page};
use crate::newsletters::{ConsentText, Newsletter};
use crate::polls::answer::{Choice, ChoiceError, Sent};
use crate::polls::linked::LinkBox;
use crate::polls::model::{Phase, Poll};
use crate::polls::results::note::date_time;
use crate::polls::results::zone;
use crate::polls::share::Shared;
use crate::polls::voter::mark_number;
use crate::types::UnixMillis;
use crate::web::assets;
use crate::web::problems::FieldProblem;

/// The form of a poll, as in `pages/form.hbs`.
#[derive(Debug, Clone, Serialize)]
pub struct FormView {
    pub action: String,
    /// Under which the markers of new readers begin: see [`mark_number`].
    pub mark: u32,
    pub questions: Vec<QuestionView>,
    /// Some question is marked as required, which a line explains.
    pub starred: bool,
    pub newsletter: Option<Offer>,
    /// The box of a linked poll, for those who may have an address.
    pub linking: Option<LinkBox>,
    /// What was typed, kept.
    pub email: String,
    pub consent_checked: bool,
    pub email_error: Option<String>,
    pub consent_error: Option<String>,
    /// Where the form stands, if not on the poll's own page.
    pub place: Option<&'static str>,
    /// The article to go back to.
    pub from: Option<String>,
    pub results_href: Option<String>,
    /// The question is the page's headline.
    pub headline: bool,
    /// Only the server's own page draws this form: the module shows a link to it where it would have to draw itself.
    pub plain: bool,
    /// A sentence above the questions.
    pub intro: String,
    /// An editor looks at it: the button sends nothing.
    pub preview: bool,
    /// The language of the poll's own words: that of its newsletter, as BCP 47 names it.
    pub lang: Option<String>,
    /// The style sheet with the newsletter's accent.
    pub accent_sheet: Option<String>,
}

/// The newsletter promised beside the poll.
#[derive(Debug, Clone, Serialize)]
pub struct Offer {
    pub slug: String,
    pub name: String,
    pub promise: String,
    pub consent: String,
    pub consent_version: i64,
    /// In which the newsletter's own words are, as BCP 47 names it.
    pub language: String,
    /// The style sheet with its accent.
    pub accent_sheet: String,
}

impl Offer {
    pub fn of(newsletter: &Newsletter, consent: &ConsentText) -> Self {
        let description = newsletter.description.trim();
        let promise = if description.is_empty() {
            format!("Give it to get {}.", newsletter.name)
        } else {
            format!("Give it to get {}: {description}", newsletter.name)
        };
        Self {
            slug: newsletter.slug.clone(),
            name: newsletter.name.clone(),
            promise,
            consent: consent.body.clone(),
            consent_version: consent.version,
            language: newsletter.language.clone(),
            accent_sheet: newsletter.accent_sheet(),
        }
    }
}

impl FormView {
    /// An empty form of `poll`.
    pub fn of(poll: &Poll, newsletter: Option<Offer>) -> Self {
        let several = poll.questions.len() > 1;
        let questions = poll.questions.iter();
        let mut questions: Vec<_> = questions.map(|q| QuestionView::of(q, several)).collect();
        if let Some(first) = questions.first_mut() {
            first.heading = "h1";
        }
        Self {
            action: format!("/p/{}", poll.slug),
            mark: mark_number(poll.id),
            starred: questions.iter().any(|question| question.star),
            questions,
            linking: newsletter.as_ref().and_then(|_| LinkBox::of(poll)),
            lang: newsletter.as_ref().map(|offer| offer.language.clone()),
            accent_sheet: newsletter.as_ref().map(|offer| offer.accent_sheet.clone()),
            newsletter,
            email: String::new(),
            consent_checked: false,
            email_error: None,
            consent_error: None,
            place: None,
            from: None,
            results_href: None,
            headline: true,
            plain: poll.questions.iter().any(needs_a_page),
            intro: poll.intro.clone(),
            preview: false,
        }
    }

    /// What was sent, kept.
    pub fn refill(&mut self, sent: &Sent) {
        for question in &mut self.questions {
            question.refill(sent);
        }
    }

    /// What a ballot says.
    pub fn fill_in(&mut self, poll: &Poll, own: &Choice) {
        for (view, question) in self.questions.iter_mut().zip(&poll.questions) {
            view.fill_in(question, own);
        }
    }

    /// Puts the reason beside its question, and lists it for the summary at the top.
    pub fn mark(&mut self, error: ChoiceError) -> FieldProblem {
        let at = error.question().unwrap_or(1);
        let several = self.questions.len() > 1;
        let mut problem = FieldProblem {
            field: format!("q{at}"),
            message: error.message(),
        };
        for question in self.questions.iter_mut().filter(|q| q.key == at) {
            question.error = Some(error.message());
            if several {
                problem.message = format!("“{}”: {}", question.text, error.message());
            }
            if let Some(option) = question.options.first() {
                problem.field = format!("o{}", option.key);
            }
        }
        problem
    }

    /// Marks all that keeps `sent` from being an answer to `poll`: `first`, and whatever else there is.
    pub fn mark_all(&mut self, poll: &Poll, sent: &Sent, first: ChoiceError) -> Vec<FieldProblem> {
        let mut faults = Choice::faults(poll, sent);
        if faults.is_empty() {
            faults.push(first);
        }
        faults.into_iter().map(|fault| self.mark(fault)).collect()
    }
}

/// Said above what is to be mended.
pub const PROBLEM: &str = "There is a problem with your answer";

/// Questions that follow the one a mail has asked.
#[derive(Debug, Serialize)]
pub struct More {
    pub words: String,
    /// The id of the next of them.
    pub to: String,
}

/// A page with a form, as in `pages/poll.hbs` and `pages/mail_vote.hbs`.
#[derive(Debug, Serialize)]
pub struct FormPage {
    pub title: String,
    pub accent_sheet: Option<String>,
    pub form: FormView,
    pub errors: Vec<FieldProblem>,
    pub error_title: &'static str,
    /// The answer stands although something else is to be mended.
    pub counted: bool,
    pub closes: Option<String>,
    pub noindex: bool,
    /// What is said where somebody shares the page.
    pub share: Option<Shared>,
    /// Mail votes only: the nonce of this page, and why it is shown again.
    pub nonce: Option<String>,
    pub again: Option<&'static str>,
    /// Mail votes only: what else is asked beside the answer that the mail has marked.
    pub more: Option<More>,
    /// Works while the reader answers, for a better tier.
    pub script: Option<String>,
    /// A script pressed the button: ask whether it was a person after all.
    pub ask_person: bool,
    /// Where systems that embed polls ask, see [`crate::polls::embed::oembed`].
    pub oembed: Option<String>,
    /// This browser is a reader's: the answer counts as that of a confirmed subscriber. Where who is somebody else says so.
    pub not_me: Option<String>,
    /// The poll is linked: the answer stays secret unless the box is ticked.
    pub linked: bool,
    /// Came from a page that may not embed polls: shown again here, to be sent from here.
    pub unsent: bool,
}

impl FormPage {
    pub fn of(poll: &Poll, now: UnixMillis, form: FormView) -> Self {
        let closes = match poll.phase(now) {
            Phase::Open { closes_at } => closes_at.map(|at| date_time(at, &zone(poll))),
            _ => None,
        };
        Self {
            title: poll.headline().to_owned(),
            accent_sheet: form.accent_sheet.clone(),
            form,
            errors: Vec::new(),
            error_title: PROBLEM,
            more: None,
            counted: false,
            closes,
            noindex: false,
            share: None,
            nonce: None,
            again: None,
            script: assets::url("proof.js"),
            ask_person: false,
            oembed: None,
            not_me: None,
            linked: poll.linking.is_some(),
            unsent: false,
        }
    }
}
