//! The consent box beside an answer, and the note to readers whose answer is linked.

use http::HeaderMap;
use serde::Serialize;

use super::{reader_of, store};
use crate::app::App;
use crate::polls::form::FormView;
use crate::polls::model::Poll;
use crate::polls::voter::{Voter, known};
use crate::subscriptions;
use crate::web::Problem;

/// The consent box, the context of `pages/link_box.hbs`.
#[derive(Debug, Clone, Serialize)]
pub struct LinkBox {
    pub version: i64,
    pub words: String,
    /// Whether it is ticked: this reader agreed before, or has just ticked it in a form that is shown again.
    pub checked: bool,
    pub hint: &'static str,
    /// Whose address the box is about, if the browser is known to be a reader's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whose: Option<Whose>,
}

/// Whose address the box is about, and where somebody else can say so.
#[derive(Debug, Clone, Serialize)]
pub struct Whose {
    /// Shown only to the browser that confirmed it. A mail's link may have been forwarded, so a browser known by such a
    /// link is not told the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    pub not_me: String,
}

const WITH_ADDRESS: &str = "Optional. It takes effect when you confirm your address. Unless you tick it, your answer stays secret.";
const KNOWN: &str = "Optional. Unless you tick it, your answer stays secret.";

impl LinkBox {
    /// The box for a reader who may leave an address in the same form. `None`: the poll is secret.
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
/// A 500 or 503 when the database fails.
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

/// Says in the form whose address the box is about: on a shared computer, the browser may be known as somebody else's.
///
/// # Errors
/// A 500 or 503 when the database fails.
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

/// The same in a form that is shown again, with the tick as it was sent.
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

/// The note on a result page for a reader whose answer is linked.
#[derive(Debug, Serialize)]
pub struct Note {
    /// Where consent can be withdrawn: the reader's settings page, which shows the address. A reader who came by a
    /// mail's link, which others may have, finds the settings through the mail instead.
    pub manage: Option<String>,
}

/// The note for this browser.
///
/// # Errors
/// A 500 or 503 when the database fails.
pub async fn note_by(app: &App, poll: &Poll, headers: &HeaderMap) -> Result<Option<Note>, Problem> {
    if poll.linking.is_none() {
        return Ok(None);
    }
    let voter = known::reader(app, poll, headers).await?;
    note(app, poll, voter.as_ref()).await
}

/// The note for this voter; `None` if no answer is linked.
///
/// # Errors
/// A 500 or 503 when the database fails.
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
