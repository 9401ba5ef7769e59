//! The contexts of the form's templates.

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

/// The form of a poll, the context of `pages/form.hbs`.
#[derive(Debug, Clone, Serialize)]
pub struct FormView {
    pub action: String,
    /// The prefix of markers made by new browsers: see `mark_number`.
    pub mark: u32,
    pub questions: Vec<QuestionView>,
    /// Whether a question has a random order. A browser that restores a form after a reload goes by the places of the
    /// options, so it must not restore this one.
    pub random: bool,
    /// Whether a question is marked as required, which a line explains.
    pub starred: bool,
    pub newsletter: Option<Offer>,
    /// The consent box of a linked poll, for readers who may have an address.
    pub linking: Option<LinkBox>,
    /// The address as typed.
    pub email: String,
    pub consent_checked: bool,
    pub email_error: Option<String>,
    pub consent_error: Option<String>,
    /// Where the form is, if not on the poll's own page.
    pub place: Option<&'static str>,
    /// The article to go back to.
    pub from: Option<String>,
    pub results_href: Option<String>,
    /// Whether the question is the page's headline.
    pub headline: bool,
    /// Whether only the server's own page can draw this form: then the module shows a link to it instead of drawing it.
    pub plain: bool,
    /// A sentence above the questions.
    pub intro: String,
    /// Shown to an editor: the button sends nothing.
    pub preview: bool,
    /// The language of the poll's own texts: that of its newsletter, as a BCP 47 tag.
    pub lang: Option<String>,
    /// The style sheet with the newsletter's accent.
    pub accent_sheet: Option<String>,
}

/// The newsletter offered beside the poll.
#[derive(Debug, Clone, Serialize)]
pub struct Offer {
    pub slug: String,
    pub name: String,
    pub promise: String,
    pub consent: String,
    pub consent_version: i64,
    /// The language of the newsletter's texts, as a BCP 47 tag.
    pub language: String,
    /// The style sheet with its accent colour.
    pub accent_sheet: String,
    /// The accent colour, `#rrggbb`.
    #[serde(skip)]
    pub accent: String,
}

impl Offer {
    pub fn of(newsletter: &Newsletter, consent: &ConsentText) -> Self {
        let description = newsletter.description.trim();
        let promise = if description.is_empty() {
            format!("Enter it to receive {}.", newsletter.name)
        } else {
            format!("Enter it to receive {}: {description}", newsletter.name)
        };
        Self {
            slug: newsletter.slug.clone(),
            name: newsletter.name.clone(),
            promise,
            consent: consent.body.clone(),
            consent_version: consent.version,
            language: newsletter.language.clone(),
            accent_sheet: newsletter.accent_sheet(),
            accent: newsletter.accent.clone(),
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
            random: questions.iter().any(|question| question.random),
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

    /// Fills in what was sent.
    pub fn refill(&mut self, sent: &Sent) {
        for question in &mut self.questions {
            question.refill(sent);
        }
    }

    /// Fills in what a ballot says.
    pub fn fill_in(&mut self, poll: &Poll, own: &Choice) {
        for (view, question) in self.questions.iter_mut().zip(&poll.questions) {
            view.fill_in(question, own);
        }
    }

    /// Shows the error beside its question, and returns it for the summary at the top.
    fn mark(&mut self, poll: &Poll, error: ChoiceError) -> FieldProblem {
        let at = error.question().unwrap_or(1);
        let several = self.questions.len() > 1;
        let message = error.message(poll);
        let mut problem = FieldProblem {
            field: format!("q{at}"),
            message: message.clone(),
        };
        for question in self.questions.iter_mut().filter(|q| q.key == at) {
            if several {
                problem.message = format!("“{}”: {message}", question.text);
            }
            question.error = Some(message.clone());
            if let Some(option) = question.options.first() {
                problem.field = format!("o{}", option.key);
            }
        }
        problem
    }

    /// Marks every error that makes `sent` invalid for `poll`: `first`, and any others.
    pub fn mark_all(&mut self, poll: &Poll, sent: &Sent, first: ChoiceError) -> Vec<FieldProblem> {
        let faults = faults(poll, sent, first).into_iter();
        faults.map(|fault| self.mark(poll, fault)).collect()
    }
}

/// Everything that makes `sent` invalid for `poll`: `first`, and any others.
fn faults(poll: &Poll, sent: &Sent, first: ChoiceError) -> Vec<ChoiceError> {
    let faults = Choice::faults(poll, sent);
    if faults.is_empty() {
        return vec![first];
    }
    faults
}

/// The same for a script: each error by the name of the first input of its question.
pub fn by_input(poll: &Poll, sent: &Sent, first: ChoiceError) -> Vec<FieldProblem> {
    let form = FormView::of(poll, None);
    let faults = faults(poll, sent, first).into_iter();
    let problems = faults.map(|fault| {
        let at = fault.question().unwrap_or(1);
        let question = form.questions.iter().find(|question| question.key == at);
        FieldProblem {
            field: question.map_or_else(|| "option".to_owned(), QuestionView::first_input),
            message: fault.message(poll),
        }
    });
    problems.collect()
}

/// The heading above the list of errors.
pub const PROBLEM: &str = "There is a problem with your answer";

/// The questions after the one that the mail asked.
#[derive(Debug, Serialize)]
pub struct More {
    pub words: String,
    /// The id of the first of these questions in the page.
    pub to: String,
}

/// A page with a form, the context of `pages/poll.hbs` and `pages/mail_vote.hbs`.
#[derive(Debug, Serialize)]
pub struct FormPage {
    pub title: String,
    pub accent_sheet: Option<String>,
    pub form: FormView,
    pub errors: Vec<FieldProblem>,
    pub error_title: &'static str,
    /// The answer counts although something else must be corrected.
    pub counted: bool,
    pub closes: Option<String>,
    pub noindex: bool,
    /// The preview shown when somebody shares the page.
    pub share: Option<Shared>,
    /// Mail votes only: the nonce of this page, and why it is shown again.
    pub nonce: Option<String>,
    pub again: Option<&'static str>,
    /// Mail votes only: where those whose answer does not count through the link can give one.
    pub poll_page: Option<String>,
    /// Mail votes only: the questions beside the one that the mail's link has answered.
    pub more: Option<More>,
    /// The script that solves the puzzle while the reader answers, for a better tier.
    pub script: Option<String>,
    /// A script pressed the button: ask whether it was a person after all.
    pub ask_person: bool,
    /// The oEmbed URL, see [`crate::polls::embed::oembed`].
    pub oembed: Option<String>,
    /// This browser is known to be a reader's, so the answer counts as that of a confirmed subscriber. This is where
    /// somebody else can say so.
    pub not_me: Option<String>,
    /// The poll is linked: the answer stays secret unless the box is ticked.
    pub linked: bool,
    /// The form came from a page that may not embed polls, and is shown again to be sent from here.
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
            poll_page: None,
            script: assets::url("proof.js"),
            ask_person: false,
            oembed: None,
            not_me: None,
            linked: poll.linking.is_some(),
            unsent: false,
        }
    }
}
