//! Answering a poll: the single use case behind the page, the mail link and the API.

use std::sync::Arc;

use super::choice::{Choice, ChoiceError};
use super::refusals::Reason;
use super::sent::Sent;
use crate::api::Once;
use crate::db::DbErr;
use crate::db::group_commit::Refused;
use crate::polls::ballots::{Answer, Outcome, Slip};
use crate::polls::linked::Tick;
use crate::polls::model::{Phase, Place, Poll};
use crate::polls::station::Station;
use crate::polls::trust::{Manner, Witness};
use crate::polls::voter::Voter;
use crate::types::{IssueId, ReaderId};

/// The outcome of an answer. `Counted` is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// The voter's ballot now says this. `first`: they had none before.
    Counted { choice: Choice, first: bool },
    /// The poll was not open at the commit.
    NotOpen(Phase),
    /// What was sent is not a valid answer to this poll.
    Invalid(ChoiceError),
    /// The browser's ballot was handed over to the reader it belongs to, and this browser is not
    /// known to be that reader's.
    HandedOver,
    /// The poll asks a sample, and this voter was not drawn or did not use the personal link.
    NotInvited,
    /// The poll was edited while the answer was on its way, or it is gone.
    Edited,
}

/// Why an answer could not be processed at all.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error(transparent)]
    Db(#[from] DbErr),
    #[error("the Idempotency-Key was used for another request")]
    KeyReused,
}

/// Where an answer comes from.
struct Source {
    place: Place,
    is_new: bool,
    issue: Option<IssueId>,
    network: Option<[u8; 8]>,
    once: Option<Once>,
    witness: Option<Witness>,
}

impl Source {
    fn at(place: Place) -> Self {
        Self {
            place,
            is_new: false,
            issue: None,
            network: None,
            once: None,
            witness: None,
        }
    }
}

/// Puts what a reader sent into the ballot box. Retries once if the poll was edited in between.
///
/// # Errors
/// A full queue or a database error; nothing was counted.
pub async fn answer(
    station: &Station,
    poll: Arc<Poll>,
    sent: &Sent,
    voter: &Voter,
    place: Place,
    network: Option<[u8; 8]>,
) -> Result<Answered, AnswerError> {
    let from = Source {
        network,
        ..Source::at(place)
    };
    cast(station, poll, sent, voter, from).await
}

/// Like [`answer`], from one of our pages. `manner` is how the answer came, for the watch; `None` for a known reader.
/// `is_new`: the browser has sent nothing that it got with an earlier answer (see [`Answer::is_new`]).
///
/// # Errors
/// As for [`answer`].
pub async fn answer_from_page(
    station: &Station,
    poll: Arc<Poll>,
    sent: &Sent,
    voter: &Voter,
    place: Place,
    (network, manner): ([u8; 8], Option<Manner>),
    is_new: bool,
) -> Result<Answered, AnswerError> {
    let from = Source {
        is_new,
        network: Some(network),
        witness: manner.map(Witness::Browser),
        ..Source::at(place)
    };
    cast(station, poll, sent, voter, from).await
}

/// Like [`answer`], by a script, with its Idempotency-Key if it sent one: a repeated request gets the first response.
///
/// # Errors
/// As for [`answer`], or the key was already used for a different request.
pub async fn answer_by_script(
    station: &Station,
    poll: Arc<Poll>,
    sent: &Sent,
    voter: &Voter,
    once: Option<Once>,
) -> Result<Answered, AnswerError> {
    let from = Source {
        // Most of those whom a script names answer once.
        is_new: true,
        once,
        ..Source::at(Place::Api)
    };
    cast(station, poll, sent, voter, from).await
}

/// Like [`answer`], by a reader's personal link in a mailed issue. The issue's numbers change with the ballot.
///
/// # Errors
/// As for [`answer`].
pub async fn answer_from_mail(
    station: &Station,
    poll: Arc<Poll>,
    sent: &Sent,
    voter: &Voter,
    (issue, reader): (IssueId, ReaderId),
    network: [u8; 8],
) -> Result<Answered, AnswerError> {
    let from = Source {
        issue: Some(issue),
        network: Some(network),
        witness: Some(Witness::Mail(reader)),
        ..Source::at(Place::Mail)
    };
    cast(station, poll, sent, voter, from).await
}

async fn cast(
    station: &Station,
    poll: Arc<Poll>,
    sent: &Sent,
    voter: &Voter,
    from: Source,
) -> Result<Answered, AnswerError> {
    let mut poll = poll;
    for _ in 0..2 {
        if !voter.is_asked_by(&poll) {
            let refused = Slip::Refused(poll.id, Reason::NotInvited);
            Box::pin(station.queue.submit(refused)).await?;
            return Ok(Answered::NotInvited);
        }
        let choice = match Choice::read(&poll, sent) {
            Ok(choice) => choice,
            Err(error) => {
                Box::pin(note(station, &poll, error)).await?;
                return Ok(Answered::Invalid(error));
            }
        };
        let answer = Answer {
            link: Tick::of(&poll, voter, sent),
            voter: voter.key(&poll),
            is_new: from.is_new,
            choice: choice.clone(),
            poll: poll.clone(),
            tier: voter.tier(),
            place: from.place,
            issue: from.issue,
            network: from.network,
            once: from.once.clone(),
            witness: from.witness,
        };
        match station.queue.submit(answer.into()).await? {
            Outcome::Counted => {
                return Ok(Answered::Counted {
                    choice,
                    first: true,
                });
            }
            Outcome::Repeated { first } => return Ok(Answered::Counted { choice, first }),
            Outcome::KeyReused => return Err(AnswerError::KeyReused),
            Outcome::Changed | Outcome::Same => {
                return Ok(Answered::Counted {
                    choice,
                    first: false,
                });
            }
            Outcome::HandedOver => return Ok(Answered::HandedOver),
            Outcome::NotOpen(phase) => return Ok(Answered::NotOpen(phase)),
            Outcome::Edited | Outcome::Noted => {}
        }
        match Box::pin(station.book.reread(&poll.slug)).await? {
            Some(reread) => poll = reread,
            None => break,
        }
    }
    Ok(Answered::Edited)
}

async fn note(station: &Station, poll: &Poll, error: ChoiceError) -> Result<(), Refused> {
    let reason = match error {
        // A form submitted before it was complete is not worth recording as a refusal.
        ChoiceError::Nothing { .. } | ChoiceError::Unranked { .. } => return Ok(()),
        ChoiceError::Unknown => Reason::ForeignOption,
        _ => Reason::WrongNumber,
    };
    station
        .queue
        .submit(Slip::Refused(poll.id, reason))
        .await
        .map(drop)
}
