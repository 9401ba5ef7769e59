//! The newsletter promised beside a poll: an address left with the answer asks for it.

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

/// What a reader is told who left an address: the same for known and unknown ones.
pub const LOOK_INTO_INBOX: &str =
    "Look into your inbox: one mail with one button confirms your subscription.";

/// The same where the address is at hand: whoever mistyped it sees that.
pub fn look_into_inbox_of(email: &str) -> String {
    format!(
        "Look into your inbox: one mail to {email}, with one button, confirms your subscription."
    )
}

/// What a reader is told who agreed that the answer is joined to an address, and left none.
const NO_ADDRESS: &str =
    "Write your address if your answer may be joined to it. It is counted, and secret";

/// What became of the address field. The answer counts whatever this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// No address, no tick.
    Nothing,
    /// The newsletter was asked for.
    Asked,
    /// Something is to be mended before it can be.
    Mend(Vec<FieldProblem>),
}

/// The newsletter `poll` promises, with the words to agree to as they are now.
///
/// # Errors
/// What the database said.
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

/// Asks for the newsletter on behalf of a reader who has answered. `marker`: of a browser that is not known to be a reader's; who confirms
/// the address may make its answer theirs. `sent`: the answer in the form.
///
/// # Errors
/// A 400 for repeated fields; the database's.
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
    // Boxed: most answers come without an address, and shall not take its room.
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
    /// Of a browser that is not known to be a reader's.
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
                "Write the address the newsletter shall go to.",
            ));
        }
        // Both are told at once: who mends one shall not be sent back for the other.
        let address = EmailAddress::from_typed(&self.typed);
        let consent = subscriptions::agreed(self.app, &newsletter, &current, &self.ticked).await?;
        let (address, consent) = match (address, consent) {
            (Ok(address), Some(consent)) => (address, consent),
            (address, consent) => {
                let mut problems = Vec::new();
                if address.is_err() {
                    problems.push(problem("email", "Write an address like name@example.com."));
                }
                if consent.is_none() {
                    let message = format!(
                        "Tick the box if we shall send you {}, or clear the address.",
                        newsletter.name
                    );
                    problems.push(problem("consent", &message));
                }
                return Ok(Left::Mend(problems));
            }
        };
        // Only a program fills in what nobody sees: it gets the same answer and no mail.
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
            // The answer is counted: what is left to say belongs beside the address.
            Err(problem) if problem.status() == StatusCode::TOO_MANY_REQUESTS => Ok(mend(
                "email",
                "Too many addresses were left from your network. Please try again in a minute.",
            )),
            Err(problem) => Err(problem),
        }
    }

    /// The answer that a confirmation of the address may make the reader's.
    fn beside(&self, marker: &str) -> Beside {
        let agreed = self.linked.then(|| self.app.clock.now());
        Beside {
            token: known::answer_token(&self.app.keys, self.poll, marker, agreed),
            question: self.poll.headline().to_owned(),
            poll: self.poll.id,
        }
    }
}

/// The address could not be written down just now.
pub fn not_taken() -> Left {
    mend(
        "email",
        "Your address could not be taken just now. Please send it once more in a moment.",
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

/// The page the reader agreed on: where the form stood, without what may be personal in its query.
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
