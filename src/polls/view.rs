//! What the templates of polls are filled with.

use jiff::tz::TimeZone;
use serde::Serialize;

use super::answer::{Choice, ChoiceError, Sent};
use super::linked::{self, LinkBox};
use super::model::{Kind, Phase, Poll, Question};
use super::question_view::{QuestionView, needs_a_page};
use super::results::Results;
use super::results::note::date_time;
use super::share::Shared;
use super::voter::mark_number;
use crate::newsletters::{ConsentText, Newsletter};
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
            questions,
            linking: newsletter.as_ref().and_then(|_| LinkBox::of(poll)),
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

/// A page with a form, as in `pages/poll.hbs` and `pages/mail_vote.hbs`.
#[derive(Debug, Serialize)]
pub struct FormPage {
    pub title: String,
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
    /// Works while the reader answers, for a better tier.
    pub script: Option<String>,
    /// A script pressed the button: ask whether it was a person after all.
    pub ask_person: bool,
    /// Where systems that embed polls ask, see [`super::embed::oembed`].
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
            form,
            errors: Vec::new(),
            error_title: "There is a problem with your answer",
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

/// A page with results, or why there are none, as in `pages/results.hbs`.
#[derive(Debug, Serialize)]
pub struct ResultsPage {
    pub title: String,
    pub question: String,
    pub counted: bool,
    /// What happens with the address that was left.
    pub mail: Option<String>,
    /// An answer that came too late or too early.
    pub refused: Option<String>,
    pub closed: Option<String>,
    /// Whom the poll asks, where that is not everybody.
    pub invitation: Option<&'static str>,
    pub results: Option<ResultsView>,
    /// The poll that asks others the same: the open one beside a sample's, a sample's beside the open one.
    pub beside: Option<Beside>,
    /// The beginning of the record's hash, after the close: see [`super::secrecy`].
    pub code: Option<String>,
    /// What becomes of the key that could join answers to readers.
    pub secrecy: Option<String>,
    /// This reader's answer is joined to their address.
    pub linked: Option<linked::Note>,
    pub hidden_reason: Option<String>,
    pub own: Option<String>,
    /// The reader wrote words of their own, which editors read first.
    pub unread: bool,
    pub change_href: Option<String>,
    pub change_label: &'static str,
    pub back_href: Option<String>,
    pub noindex: bool,
    /// What is said where somebody shares the page.
    pub share: Option<Shared>,
    /// The results for machines, safe in a data block.
    pub json_ld: Option<String>,
    pub script: Option<&'static str>,
    /// Where systems that embed polls ask, see [`super::embed::oembed`].
    pub oembed: Option<String>,
}

/// What others answered to the same.
#[derive(Debug, Serialize)]
pub struct Beside {
    pub heading: &'static str,
    pub href: String,
    /// As far as anybody may see them.
    pub results: Option<ResultsView>,
}

/// Results with what the page adds to them.
#[derive(Debug, Serialize)]
pub struct ResultsView {
    #[serde(flatten)]
    pub results: Results,
    pub headline: bool,
    /// Where live results come from, while they can change.
    pub live: Option<String>,
}

impl ResultsPage {
    /// The page as a reader sees it who answered `own` (`None`: has not answered).
    pub fn of(
        poll: &Poll,
        now: UnixMillis,
        results: Option<Results>,
        own: Option<&Choice>,
    ) -> Self {
        let phase = poll.phase(now);
        let open = matches!(phase, Phase::Open { .. });
        let own_labels = own.map_or_else(String::new, |own| said(poll, own));
        Self {
            title: match phase {
                Phase::NotYetOpen { .. } => poll.headline().to_owned(),
                _ => format!("Results: {}", poll.headline()),
            },
            question: poll.headline().to_owned(),
            counted: open && own.is_some(),
            mail: None,
            refused: None,
            closed: closed(poll, phase),
            invitation: poll.sample().filter(|_| open).map(|_| BY_INVITATION),
            beside: None,
            code: None,
            secrecy: None,
            linked: None,
            hidden_reason: results.is_none().then(|| hidden_reason(poll, phase)),
            results: results.map(|results| ResultsView {
                results,
                headline: true,
                live: open.then(|| format!("/p/{}/live", poll.slug)),
            }),
            unread: open && own.is_some_and(|own| !own.words().is_empty()),
            own: (!own_labels.is_empty()).then_some(own_labels),
            change_href: poll
                .is_open_to_all(now)
                .then(|| format!("/p/{}", poll.slug)),
            change_label: if own.is_some() {
                "Change my answer"
            } else {
                "Answer the poll"
            },
            back_href: None,
            noindex: false,
            share: None,
            json_ld: None,
            script: open.then_some("/assets/live.js"),
            oembed: None,
        }
    }
}

/// What is said to readers of a poll that asks a sample.
pub const BY_INVITATION: &str =
    "This poll asks a random sample of subscribers. Who was drawn has a personal link in a mail.";

/// A ballot in one line: the labels, numbered where their order counts, and the reader's own words.
fn said(poll: &Poll, own: &Choice) -> String {
    let parts = poll.questions.iter().flat_map(|q| said_to(poll, q, own));
    parts.collect::<Vec<_>>().join(", ")
}

/// What a ballot says to one question.
pub fn said_to(poll: &Poll, question: &Question, own: &Choice) -> Vec<String> {
    let of_this = own.options().iter().filter(|id| question.has(**id));
    let said = of_this.enumerate().map(|(rank, id)| {
        let label = poll.labels(&[*id]).concat();
        let words = own.words().iter().find(|words| words.option == *id);
        match (question.kind, words) {
            (Kind::Ranked, _) => format!("{}. {label}", rank + 1),
            (_, Some(words)) => format!("{label}: {}", words.text),
            _ => label,
        }
    });
    said.collect()
}

/// "Closed on …", once it is.
pub fn closed(poll: &Poll, phase: Phase) -> Option<String> {
    match phase {
        Phase::Closed { at: Some(at) } => Some(format!("Closed on {}", date_time(at, &zone(poll)))),
        Phase::Closed { at: None } => Some("Closed".to_owned()),
        _ => None,
    }
}

/// Why this reader sees no numbers now.
pub fn hidden_reason(poll: &Poll, phase: Phase) -> String {
    use super::model::Visibility;
    match (poll.visibility, phase) {
        (_, Phase::NotYetOpen { opens_at }) => {
            format!("This poll opens on {}.", date_time(opens_at, &zone(poll)))
        }
        (Visibility::AfterVoting, _) if poll.sample().is_some() => {
            "The results are shown to those who were drawn and have answered, and to everybody after the close.".to_owned()
        }
        (Visibility::AfterVoting, _) => {
            "The results are shown to readers who have answered.".to_owned()
        }
        (
            Visibility::AfterClose,
            Phase::Open {
                closes_at: Some(at),
            },
        ) => {
            format!(
                "The results are shown when the poll has closed, on {}.",
                date_time(at, &zone(poll))
            )
        }
        (Visibility::AfterClose, _) => "The results are shown when the poll has closed.".to_owned(),
        (_, _) => "The results of this poll are not public.".to_owned(),
    }
}

/// The zone a poll's times are shown in.
pub fn zone(poll: &Poll) -> TimeZone {
    TimeZone::get(&poll.time_zone).unwrap_or(TimeZone::UTC)
}
