//! Linked polls: an answer may be joined to the address of a reader who agrees to it, in words of its own.
//!
//! Secret is the default. Of a linked poll only those answers are linked whose reader ticked a separate box; everybody else's are as
//! secret as in a secret poll. States of an answer: secret → linked (the box was ticked, and the address is known or confirmed) → secret again.
//! Promises:
//! - Secret or linked, and the words, are fixed when the poll is published: before anybody has read them.
//! - The box is never ticked for anybody who has not ticked it, never required, and decides each time: who answers again without it takes the link back.
//! - Only a reader has links: who is signed in, has come by a personal link, or confirms the address left beside the answer. Nothing waits in
//!   the database for that confirmation.
//! - A link is written in the commit of its ballot and says the same (`ballots::links`), for as long as the poll's key exists; afterwards it is all
//!   that says it.
//! - Taking it back, and erasure, leave nothing but the ballot, counted and secret.
//!
//! `words` is pure; `view` is the box; `store` reads the links and ends them; `answers` says them in words; `segment` is readers
//! by answer, whom an issue can be for; `export` the file, and who took it; `api` the same for scripts.

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

/// Drops the tick of a form in which a known reader has left somebody else's address: whose words these are nobody can say.
///
/// # Errors
/// A 400 for repeated fields; what the database said.
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
    let own = match EmailAddress::from_typed(&typed) {
        Ok(address) => subscriptions::has_address(app, reader, &address).await?,
        Err(_) => false,
    };
    if !own {
        sent.link = None;
    }
    Ok(())
}
