//! The newsletter promised beside a poll: an address left with the answer asks for it.

use super::model::Poll;
use super::view::Offer;
use crate::app::App;
use crate::newsletters;
use crate::types::EmailAddress;
use crate::web::problems::FieldProblem;
use crate::web::{Problem, RawForm};

/// What a reader is told who left an address: the same for known and unknown ones.
pub const LOOK_INTO_INBOX: &str =
    "Look into your inbox: one mail with one button confirms your subscription.";

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
    let Some(id) = poll.newsletter else {
        return Ok(None);
    };
    let Some(newsletter) = newsletters::by_id(app.db.read(), id).await? else {
        return Ok(None);
    };
    let consent = newsletters::current_consent(app.db.read(), id).await?;
    Ok(consent.map(|consent| Offer::of(&newsletter, &consent)))
}

/// Asks for the newsletter on behalf of a reader who has answered.
///
/// # Errors
/// A 400 for repeated fields; the database's.
pub async fn take(app: &App, poll: &Poll, form: &RawForm) -> Result<Left, Problem> {
    let Some(offer) = of(app, poll).await? else {
        return Ok(Left::Nothing);
    };
    let (typed, agreed) = (form.text("email")?, form.ticked("consent")?);
    if typed.is_empty() && !agreed {
        return Ok(Left::Nothing);
    }
    let mend = |field: &str, message: &str| {
        Ok(Left::Mend(vec![FieldProblem {
            field: field.to_owned(),
            message: message.to_owned(),
        }]))
    };
    if typed.is_empty() {
        return mend("email", "Write the address the newsletter shall go to");
    }
    if EmailAddress::parse(&typed).is_err() {
        return mend("email", "Write an address like name@example.com");
    }
    if !agreed {
        return mend(
            "consent",
            &format!(
                "Tick the box if we shall send you {}, or clear the address",
                offer.name
            ),
        );
    }
    Ok(Left::Asked)
}
