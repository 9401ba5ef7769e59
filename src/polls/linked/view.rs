//! The box beside an answer, and what is said to those whose answer is linked.

use http::HeaderMap;
use serde::Serialize;

use super::{reader_of, store};
use crate::app::App;
use crate::polls::form::FormView;
use crate::polls::model::Poll;
use crate::polls::voter::{Voter, known};
use crate::subscriptions;
use crate::web::Problem;

/// The box, as in `pages/link_box.hbs`.
#[derive(Debug, Clone, Serialize)]
pub struct LinkBox {
    pub version: i64,
    pub words: String,
    /// This reader agreed before, or just now in a form that is shown again.
    pub checked: bool,
    pub hint: &'static str,
    /// Where the browser says who answers: whose address it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whose: Option<Whose>,
}

/// Whose address the box speaks of, and where somebody else says so.
#[derive(Debug, Clone, Serialize)]
pub struct Whose {
    /// Named to the browser that confirmed it. A mail's link is passed on by itself: who answered by it is told no address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    pub not_me: String,
}

const WITH_ADDRESS: &str = "Optional. It takes effect when you confirm your address. Without this tick your answer stays secret.";
const KNOWN: &str = "Optional. Without this tick your answer stays secret.";

impl LinkBox {
    /// For somebody who may leave an address in the same form. `None`: the poll is secret.
    pub fn of(poll: &Poll) -> Option<Self> {
        poll.linking.as_ref().map(|words| Self {
            version: words.version,
            words: words.text.clone(),
            checked: false,
            hint: WITH_ADDRESS,
            whose: None,
        })
    }
}

/// Puts the box into the form of a known reader, ticked if their answer is linked.
///
/// # Errors
/// What the database said.
pub async fn offer(
    app: &App,
    poll: &Poll,
    known: Option<&Voter>,
    form: &mut FormView,
) -> Result<(), Problem> {
    let (Some(reader), Some(link)) = (known.and_then(reader_of), LinkBox::of(poll)) else {
        return Ok(());
    };
    form.linking = Some(LinkBox {
        checked: store::is_linked(&app.db, poll.id, reader).await?,
        hint: KNOWN,
        ..link
    });
    Ok(())
}

/// Says in the form of a known browser whose address the box speaks of: a browser that others use may be known as somebody else's.
///
/// # Errors
/// What the database said.
pub async fn name_reader(
    app: &App,
    poll: &Poll,
    known: Option<&Voter>,
    form: &mut FormView,
) -> Result<(), Problem> {
    let Some(link) = &mut form.linking else {
        return Ok(());
    };
    let address = match known {
        Some(Voter::SignedIn(reader)) => subscriptions::address(app, *reader).await?,
        Some(Voter::Subscriber(_)) => None,
        _ => return Ok(()),
    };
    link.whose = Some(Whose {
        address,
        not_me: known::not_me(poll),
    });
    Ok(())
}

/// The same in a form that is shown again, as it was sent.
pub fn offer_again(poll: &Poll, known: bool, ticked: bool, form: &mut FormView) {
    if known {
        form.linking = LinkBox::of(poll).map(|link| LinkBox {
            hint: KNOWN,
            ..link
        });
    }
    if let Some(link) = &mut form.linking {
        link.checked = ticked;
    }
}

/// What a result page says to a reader whose answer is linked.
#[derive(Debug, Serialize)]
pub struct Note {
    /// Where it can be taken back: the page of the reader's own settings, with the address on it. Whoever has come by a mail's link, which
    /// others may have, finds the way there in the mail.
    pub manage: Option<String>,
}

/// The note for this browser.
///
/// # Errors
/// What the database said.
pub async fn note_by(app: &App, poll: &Poll, headers: &HeaderMap) -> Result<Option<Note>, Problem> {
    if poll.linking.is_none() {
        return Ok(None);
    }
    let voter = known::reader(app, poll, headers).await?;
    note(app, poll, voter.as_ref()).await
}

/// The note for this voter; `None` where nothing is linked.
///
/// # Errors
/// What the database said.
pub async fn note(app: &App, poll: &Poll, voter: Option<&Voter>) -> Result<Option<Note>, Problem> {
    let (Some(reader), Some(_)) = (voter.and_then(reader_of), &poll.linking) else {
        return Ok(None);
    };
    let linked = store::is_linked(&app.db, poll.id, reader).await?;
    let signed_in = matches!(voter, Some(Voter::SignedIn(_)));
    let manage = || {
        let token = subscriptions::manage_token(&app.keys, reader);
        format!("/manage/{token}#answers")
    };
    Ok(linked.then(|| Note {
        manage: signed_in.then(manage),
    }))
}
