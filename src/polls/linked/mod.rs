//! Linked polls: an answer may be joined to a reader's address, if the reader agrees to a separate consent text.
//!
//! Polls are secret by default. In a linked poll, only the answers of readers who ticked a separate box are linked; all
//! others are as secret as in a secret poll. States of an answer: secret → linked (the box was ticked, and the address
//! is known or confirmed) → secret again.
//! Promises:
//! - Whether a poll is linked, and the consent text, are fixed when it is published: before any reader has seen it.
//! - The box is never ticked in advance and never required. Each answer decides anew: a reader who answers again
//!   without ticking it withdraws the link.
//! - Only known readers have links: those who are signed in, came by a personal link, or confirm the address left
//!   beside the answer. Nothing is stored in the database while that confirmation is pending.
//! - A link is written in the commit of its ballot and says the same (`ballots::links`) for as long as the poll's key
//!   exists. Afterwards it is the only record of what this reader answered.
//! - Withdrawing consent, and erasure, leave only the ballot, which still counts and is secret again.
//!
//! `words` is pure; `view` is the box; `store` reads and removes links; `answers` turns them into text; `segment`
//! selects readers by answer, as the audience of an issue; `export` creates the file and records who exported it; `api`
//! offers the same to scripts.

mod answers;
pub mod api;
pub mod export;
mod segment;
pub mod store;
mod view;
mod words;

pub use answers::{LinkedAnswer, Said, answers};
pub use segment::{
    SMALLEST, Segment, Tally, chosen, in_words as segment_in_words, readers as segment_readers,
};
pub use store::{take_back_in, take_back_poll};
pub use view::{LinkBox, Note, name_reader, note, note_by, offer, offer_again};
pub use words::{LinkWords, SUGGESTED, Tick, fault, is_agreed};

use super::answer::Sent;
use super::model::Poll;
use super::voter::Voter;
use crate::app::App;
use crate::subscriptions;
use crate::types::{EmailAddress, ReaderId};
use crate::web::{Problem, RawForm};

/// The reader behind a voter, if there is one.
pub fn reader_of(voter: &Voter) -> Option<ReaderId> {
    match voter {
        Voter::Subscriber(reader) | Voter::SignedIn(reader) => Some(*reader),
        _ => None,
    }
}

/// Drops the tick if a known reader has left somebody else's address in the form: it is unclear who
/// of the two gave consent. A browser that is known by the link in a mail alone loses it with any address: such a link
/// may have been forwarded, and what becomes of the tick would tell whether a guess at its reader's address is right.
///
/// # Errors
/// A 400 for repeated fields; a 500 or 503 when the database fails.
pub async fn only_own(
    app: &App,
    poll: &Poll,
    known: Option<&Voter>,
    form: &RawForm,
    sent: &mut Sent,
) -> Result<(), Problem> {
    let (Some(reader), true) = (known.and_then(reader_of), is_agreed(poll, sent)) else {
        return Ok(());
    };
    let typed = form.text("email")?;
    if typed.is_empty() {
        return Ok(());
    }
    let own = match (known, EmailAddress::from_typed(&typed)) {
        (Some(Voter::SignedIn(_)), Ok(address)) => {
            subscriptions::has_address(app, reader, &address).await?
        }
        _ => false,
    };
    if !own {
        sent.link = None;
    }
    Ok(())
}
