//! The newsletter offered beside a poll: a reader who leaves an address with the answer requests it.

use http::header::REFERER;
use http::{HeaderMap, StatusCode};

use super::view::Offer;
use crate::app::App;
use crate::newsletters::{self, ConsentText, Newsletter};
use crate::polls::answer::Sent;
use crate::polls::linked;
use crate::polls::model::Poll;
use crate::polls::voter::known;
use crate::subscriptions::{self, Beside, Source, Wish};
use crate::types::EmailAddress;
use crate::web::problems::FieldProblem;
use crate::web::{Client, Problem, RawForm};

/// What a reader who left an address is told: the same for known and unknown addresses.
pub const LOOK_INTO_INBOX: &str = "Check your inbox: press the button in the email we are sending you to confirm your subscription.";

/// The same with the address, so that a reader who mistyped it notices.
pub fn look_into_inbox_of(email: &str) -> String {
    format!(
        "Check your inbox: press the button in the email we are sending to {email} to confirm your subscription."
    )
}

/// What a reader is told who agreed to have the answer joined to an address, but left none.
const NO_ADDRESS: &str = "Enter your email address if your answer may be kept with it. It has been counted, and stays secret unless you do.";

/// The outcome of the address field. The answer counts in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// No address and no tick.
    Nothing,
    /// The newsletter was requested.
    Asked,
    /// Something must be corrected before it can be requested.
    Mend(Vec<FieldProblem>),
}

/// The newsletter that `poll` offers, with its current consent text.
///
/// # Errors
/// A 500 or 503 when the database fails.
pub async fn of(app: &App, poll: &Poll) -> Result<Option<Offer>, Problem> {
    Ok(promised(app, poll)
        .await?
        .map(|(newsletter, consent)| Offer::of(&newsletter, &consent)))
}

async fn promised(app: &App, poll: &Poll) -> Result<Option<(Newsletter, ConsentText)>, Problem> {
    let Some(id) = poll.newsletter else {
        return Ok(None);
    };
    let Some(newsletter) = newsletters::by_id(app.db.read(), id).await? else {
        return Ok(None);
    };
    let consent = newsletters::current_consent(app.db.read(), id).await?;
    Ok(consent.map(|consent| (newsletter, consent)))
}

/// Requests the newsletter for a reader who has answered. `marker` is that of a browser that is not known to be a
/// reader's; a reader who confirms the address may claim its answer. `sent` is the answer in the form.
///
/// # Errors
/// A 400 for repeated fields; a 500 or 503 when the database fails.
pub async fn take(
    app: &App,
    poll: &Poll,
    client: &Client,
    headers: &HeaderMap,
    (form, sent): (&RawForm, &Sent),
    marker: Option<&str>,
) -> Result<Left, Problem> {
    let (typed, ticked) = (form.text("email")?, form.text("consent")?);
    let linked = linked::is_agreed(poll, sent);
    if typed.is_empty() && ticked.is_empty() {
        // Without an address there is nothing to join the answer to.
        return Ok(match marker {
            Some(_) if linked && poll.newsletter.is_some() => mend("email", NO_ADDRESS),
            _ => Left::Nothing,
        });
    }
    // Boxed, so that the many answers without an address do not reserve space for it.
    let asking = Asking {
        app,
        poll,
        client,
        headers,
        form,
        marker,
        typed,
        ticked,
        linked,
    };
    Box::pin(asking.ask()).await
}

/// An address or a tick, left beside an answer.
struct Asking<'a> {
    app: &'a App,
    poll: &'a Poll,
    client: &'a Client,
    headers: &'a HeaderMap,
    form: &'a RawForm,
    /// The marker, if the browser is not known to be a reader's.
    marker: Option<&'a str>,
    typed: String,
    ticked: String,
    /// The answer may be joined to the address.
    linked: bool,
}

impl Asking<'_> {
    async fn ask(self) -> Result<Left, Problem> {
        let Some((newsletter, current)) = promised(self.app, self.poll).await? else {
            return Ok(Left::Nothing);
        };
        if self.typed.is_empty() {
            return Ok(mend(
                "email",
                "Enter the email address the newsletter should go to.",
            ));
        }
        // Both errors are shown at once, so that a reader who corrects one is not sent back for the other.
        let address = EmailAddress::from_typed(&self.typed);
        let consent = subscriptions::agreed(self.app, &newsletter, &current, &self.ticked).await?;
        let (address, consent) = match (address, consent) {
            (Ok(address), Some(consent)) => (address, consent),
            (address, consent) => {
                let mut problems = Vec::new();
                if address.is_err() {
                    problems.push(problem("email", "Enter an address like name@example.com."));
                }
                if consent.is_none() {
                    let message = format!(
                        "Tick the box to receive {}, or clear the address.",
                        newsletter.name
                    );
                    problems.push(problem("consent", &message));
                }
                return Ok(Left::Mend(problems));
            }
        };
        // Only a program fills in the invisible field: it gets the same response, and no mail is sent.
        let website = self.form.one("website")?;
        if website.is_some_and(|text| !text.is_empty()) {
            return Ok(Left::Asked);
        }
        let wish = Wish {
            newsletter,
            address,
            name: None,
            consent,
            page: page_of(self.app, self.poll, self.headers),
            source: Source::Poll,
            poll: Some(self.poll.id),
            answer: self.marker.map(|marker| self.beside(marker)),
        };
        match subscriptions::request(self.app, self.client, &wish).await {
            Ok(()) => Ok(Left::Asked),
            // The answer is already counted, so the message belongs beside the address field.
            Err(problem) if problem.status() == StatusCode::TOO_MANY_REQUESTS => Ok(mend(
                "email",
                "Too many addresses have been entered from your network. Please try again in a minute.",
            )),
            Err(problem) => Err(problem),
        }
    }

    /// The answer that becomes the reader's if they confirm the address.
    fn beside(&self, marker: &str) -> Beside {
        let agreed = self.linked.then(|| self.app.clock.now());
        Beside {
            token: known::answer_token(&self.app.keys, self.poll, marker, agreed),
            question: self.poll.headline().to_owned(),
            poll: self.poll.id,
        }
    }
}

/// The address could not be stored just now.
pub fn not_taken() -> Left {
    mend(
        "email",
        "We could not save your address just now. Please send it again in a moment.",
    )
}

fn mend(field: &str, message: &str) -> Left {
    Left::Mend(vec![problem(field, message)])
}

fn problem(field: &str, message: &str) -> FieldProblem {
    FieldProblem {
        field: field.to_owned(),
        message: message.to_owned(),
    }
}

/// The page on which the reader agreed: that of the form, without any personal data in its query.
fn page_of(app: &App, poll: &Poll, headers: &HeaderMap) -> String {
    let referer = headers.get(REFERER).and_then(|value| value.to_str().ok());
    let page = referer
        .and_then(|url| url.split(['?', '#']).next())
        .filter(|url| !url.is_empty());
    page.map_or_else(
        || format!("{}/p/{}", app.config.origin(), poll.slug),
        str::to_owned,
    )
}
