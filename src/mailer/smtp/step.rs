//! One step of a conversation: a reply within its time, and what it means for the step.

use std::{error::Error as _, future::Future, time::Duration};

use lettre::transport::smtp::{Error as LettreError, response::Response};
use tokio::time::timeout;

use super::{
    channel::Heard,
    refusal::{Refusal, RefusalKind},
};
use crate::mailer::reply::{Phase, Reply};

/// A step that was not answered with yes.
pub(super) enum StepError {
    Refused(Reply),
    Lost(String),
    /// Not SMTP; the reply was consumed, but the conversation may be out of step.
    Unreadable(Option<Reply>),
}

/// Splits "the server refused" (the conversation goes on) from "the conversation is over".
pub(super) fn settled(
    phase: Phase,
    result: Result<Response, StepError>,
) -> Result<Result<(), Refusal>, Refusal> {
    match result {
        Ok(response) if means_yes(phase, response.code().into()) => Ok(Ok(())),
        // One line too many somewhere, and each reply belongs to the command before: no message is given to that.
        Ok(response) => {
            let why = format!("unexpected reply {}", response.code());
            Err(refusal(phase, StepError::Lost(why)))
        }
        Err(StepError::Refused(reply)) => Ok(Err(Refusal {
            phase,
            kind: RefusalKind::Refused(reply),
        })),
        Err(error) => Err(refusal(phase, error)),
    }
}

/// As [`settled`]; `None` where the server was gone after it had refused in a reply before: many hang up with a refusal, and after a 421
/// they have to (RFC 5321 §3.8). Then what they said decides. A reply that is none of this step's is another matter: the one
/// before may not have been of its step either.
pub(super) fn unless_gone(
    phase: Phase,
    reply: Result<Response, StepError>,
    before: &Result<(), Refusal>,
) -> Result<Option<Result<(), Refusal>>, Refusal> {
    match reply {
        Err(StepError::Lost(_)) if before.is_err() => Ok(None),
        reply => settled(phase, reply).map(Some),
    }
}

/// Whether it is the yes of this step: `DATA` is answered with 354 and nothing else is (RFC 5321 §4.3.2).
fn means_yes(phase: Phase, code: u16) -> bool {
    match phase {
        Phase::Data => code == 354,
        _ => (200..300).contains(&code),
    }
}

/// Awaits one reply with a limit. `index` says which of the replies heard so far it is, for one lettre cannot parse.
pub(super) async fn step<T>(
    heard: &Heard,
    index: usize,
    limit: Duration,
    reply: impl Future<Output = Result<T, LettreError>>,
) -> Result<T, StepError> {
    match timeout(limit, reply).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(match error.status() {
            Some(code) => {
                StepError::Refused(heard.reply(index, code.into()).unwrap_or_else(|| {
                    let words = error.source().map(ToString::to_string).unwrap_or_default();
                    Reply::new(code.into(), &words)
                }))
            }
            None if error.is_response() && heard.goes_on_after(index) => {
                StepError::Unreadable(Reply::nth(&heard.text(), index))
            }
            // What lettre calls an incomplete reply.
            None if error.is_response() => {
                StepError::Lost("the server closed the connection".to_owned())
            }
            None => StepError::Lost(error.to_string()),
        }),
        Err(_) => Err(StepError::Lost("timed out".to_owned())),
    }
}

pub(super) fn refusal(phase: Phase, error: StepError) -> Refusal {
    let kind = match error {
        StepError::Refused(reply) => RefusalKind::Refused(reply),
        StepError::Unreadable(Some(reply)) if reply.code >= 400 => RefusalKind::Refused(reply),
        StepError::Unreadable(_) => RefusalKind::Lost("the server's reply is not SMTP".to_owned()),
        StepError::Lost(why) => RefusalKind::Lost(why),
    };
    Refusal { phase, kind }
}

/// RFC 5321 §3.8: after a 421 the server closes the channel.
pub(super) fn closing(refusal: &Refusal) -> bool {
    matches!(&refusal.kind, RefusalKind::Refused(reply) if reply.code == 421)
}

pub(super) fn offers(hello: &str, feature: &str) -> bool {
    hello
        .lines()
        .filter_map(|line| line.strip_prefix("250").and_then(|rest| rest.get(1..)))
        .any(|offer| offer.trim().eq_ignore_ascii_case(feature))
}

/// The largest message that the server takes, in octets (RFC 1870): `None` where it does not say, and 0 where it has no limit.
pub(super) fn size_limit(hello: &str) -> Option<usize> {
    let offers = hello
        .lines()
        .filter_map(|line| line.strip_prefix("250").and_then(|rest| rest.get(1..)));
    offers.into_iter().find_map(|offer| {
        let mut words = offer.split_ascii_whitespace();
        let is_size = words.next()?.eq_ignore_ascii_case("SIZE");
        is_size.then(|| {
            words
                .next()
                .and_then(|limit| limit.parse().ok())
                .unwrap_or(0)
        })
    })
}

pub(super) fn reply_of(response: &Response, heard: &Heard) -> Reply {
    let code = response.code().into();
    heard.reply(0, code).unwrap_or_else(|| {
        let words: Vec<&str> = response.message().collect();
        Reply::new(code, &words.join(" "))
    })
}
