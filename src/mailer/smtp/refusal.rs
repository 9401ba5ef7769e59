//! The outcomes of a mail that was not simply accepted.

use std::fmt;

use crate::mailer::reply::{Phase, Reply};

/// Why a mail was certainly not accepted: nothing was handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The step that failed.
    pub phase: Phase,
    /// How it failed.
    pub kind: RefusalKind,
}

/// How a step before the final dot failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The server refused.
    Refused(Reply),
    /// The connection broke or a time-out passed.
    Lost(String),
    /// The server closed a connection that had been used, instead of accepting another mail. A new one shows whether it
    /// accepts mails.
    Closed(Reply),
    /// The server does not offer what this mail or our configuration needs.
    Unusable(String),
    /// The message is larger than the server's declared limit (RFC 1870).
    TooLarge {
        /// The minimum size of the message, in octets.
        octets: usize,
        /// The server's limit, in octets.
        limit: usize,
    },
}

impl Refusal {
    pub(super) fn timed_out(phase: Phase) -> Self {
        Self {
            phase,
            kind: RefusalKind::Lost("timed out".to_owned()),
        }
    }

    pub(in crate::mailer) fn unusable(phase: Phase, why: &str) -> Self {
        Self {
            phase,
            kind: RefusalKind::Unusable(why.to_owned()),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            RefusalKind::Refused(reply) | RefusalKind::Closed(reply) => {
                write!(f, "{}: {reply}", self.phase)
            }
            RefusalKind::Lost(why) | RefusalKind::Unusable(why) => {
                write!(f, "{}: {why}", self.phase)
            }
            RefusalKind::TooLarge { octets, limit } => {
                write!(f, "{}: {octets} octets, of at most {limit}", self.phase)
            }
        }
    }
}

/// The outcome of a message whose body we began to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The relay accepted responsibility for the message (RFC 5321 §6.1).
    Accepted(Reply),
    /// The relay refused the message.
    Refused(Reply),
    /// The connection broke before the final dot was written: certainly not accepted.
    NotSent(String),
    /// No readable reply after the final dot: it is unknown whether the message was accepted.
    InDoubt(String),
}
