//! One step of a conversation: a reply within its time-out, and what it means for the step.

use std::{error::Error as _, future::Future, time::Duration};

use lettre::transport::smtp::{Error as LettreError, response::Response};
use tokio::time::timeout;

use super::{
    channel::Heard,
    refusal::{Refusal, RefusalKind},
};
use crate::mailer::reply::{Phase, Reply};

/// A step without a positive reply.
pub(super) enum StepError {
    Refused(Reply),
    Lost(String),
    /// The reply is not SMTP. It was consumed, but replies and commands may be out of step.
    Unreadable(Option<Reply>),
}

/// Splits "the server refused" (the conversation goes on) from "the conversation is over".
pub(super) fn settled(
    phase: Phase,
    result: Result<Response, StepError>,
) -> Result<Result<(), Refusal>, Refusal> {
    match result {
        Ok(response) if means_yes(phase, response.code().into()) => Ok(Ok(())),
        // After one surplus line, each reply would belong to the previous command: do not send a message in that state.
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

/// Like [`settled`], but `None` if the connection was lost after a refusal in an earlier reply: many servers hang up
/// after a refusal, and after a 421 they must (RFC 5321 §3.8). Then that refusal decides. An unexpected reply remains
/// an error, because the earlier one may not have belonged to its step either.
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

/// Whether this is the positive reply of the step: 354 for `DATA`, and only for that (RFC 5321 §4.3.2).
fn means_yes(phase: Phase, code: u16) -> bool {
    match phase {
        Phase::Data => code == 354,
        _ => (200..300).contains(&code),
    }
}

/// Awaits one reply with a time-out. `index` says which of the replies heard so far it is, in case lettre cannot parse
/// it.
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
            // lettre reports an incomplete reply.
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

/// Whether the server closes the channel, as it must after a 421 (RFC 5321 §3.8).
pub(super) fn closing(refusal: &Refusal) -> bool {
    matches!(&refusal.kind, RefusalKind::Refused(reply) if reply.code == 421)
}

/// The reply to MAIL of a server that closes the connection. If it has carried mails, it may have been idle for too
/// long, or have had its number of mails: that is not about the next mail and says little about the relay.
pub(super) fn farewell(refusal: &Refusal) -> Option<Refusal> {
    let RefusalKind::Refused(reply) = &refusal.kind else {
        return None;
    };
    // RFC 3463 §3.5: X.4.2 is a bad connection.
    let closes = reply.code == 421 || matches!(reply.enhanced, Some((4, 4, 2)));
    (refusal.phase == Phase::Mail && closes).then(|| Refusal {
        phase: refusal.phase,
        kind: RefusalKind::Closed(reply.clone()),
    })
}

pub(super) fn offers(hello: &str, feature: &str) -> bool {
    offered(hello).any(|offer| offer.trim().eq_ignore_ascii_case(feature))
}

/// The lines of a reply to `EHLO`, without their code.
pub(super) fn offered(hello: &str) -> impl Iterator<Item = &str> {
    hello
        .lines()
        .filter_map(|line| line.strip_prefix("250").and_then(|rest| rest.get(1..)))
}

/// Whether a complete line of a reply to `EHLO` has only blanks after its code: lettre panics at one.
pub(super) fn offers_blank(hello: &str) -> bool {
    let complete = hello.rfind('\n').map_or("", |end| &hello[..=end]);
    offered(complete)
        .any(|offer| !offer.is_empty() && offer.chars().all(|c| c.is_ascii() && c.is_whitespace()))
}

/// The server's size limit in octets (RFC 1870): `None` if it states none, 0 if it says that there is no limit.
pub(super) fn size_limit(hello: &str) -> Option<usize> {
    offered(hello).find_map(|offer| {
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
