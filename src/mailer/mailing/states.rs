//! The states of the ledger, as stored in its columns. Numbers are never reused.

/// The state of an issue's mailing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MailingState {
    /// Handed over; its audience is being frozen.
    Preparing = 0,
    /// Being sent, or waiting for its start.
    Sending = 1,
    /// Paused by an editor or by the mailer; goes on when resumed.
    Paused = 2,
    /// Stopped for good; the unsent mails are being written off.
    Cancelling = 3,
    /// Every recipient has a final state.
    Finished = 4,
    /// Cancelled; every recipient has a final state.
    Cancelled = 5,
}

impl MailingState {
    /// The state with this code.
    pub(crate) fn of(code: i16) -> Self {
        match code {
            0 => Self::Preparing,
            1 => Self::Sending,
            2 => Self::Paused,
            3 => Self::Cancelling,
            5 => Self::Cancelled,
            _ => Self::Finished,
        }
    }

    /// The code that is stored in the database.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }
}

/// The state of a batch of an audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchState {
    /// Any lane may lease it once its time has come.
    Waiting = 0,
    /// A lane works on it, until its lease ends.
    Leased = 1,
    /// All its mails are in the ledger or in other batches.
    Done = 2,
}

impl BatchState {
    /// The code that is stored in the database.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }
}

/// The state of one recipient in the ledger. No row: not attempted yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DeliveryState {
    /// The final dot is about to be sent. If a crash leaves it without an outcome, the mail is in doubt.
    Intent = 1,
    /// Accepted by the relay.
    Sent = 2,
    /// To be retried.
    Deferred = 3,
    /// Refused for good.
    Failed = 4,
    /// In doubt, and held for a person to decide.
    Unknown = 5,
    /// Not to be sent: the reason says why.
    Skipped = 6,
}

impl DeliveryState {
    /// The state with this code; `None` for a code that no version of Canvass wrote.
    pub(crate) fn of(code: i16) -> Option<Self> {
        [
            Self::Intent,
            Self::Sent,
            Self::Deferred,
            Self::Failed,
            Self::Unknown,
            Self::Skipped,
        ]
        .into_iter()
        .find(|state| state.code() == code)
    }

    /// The code that is stored in the database.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }
}

/// Why a recipient was skipped, failed or waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No particular reason.
    None = 0,
    /// Unsubscribed after the audience was frozen.
    Left = 1,
    /// Removed by an editor.
    Removed = 2,
    /// The subscription ended by bounces.
    Bounced = 3,
    /// The reader complained.
    Complained = 4,
    /// The address must not be mailed.
    Suppressed = 5,
    /// The reader's data were erased.
    Erased = 6,
    /// The issue was cancelled.
    Cancelled = 7,
    /// The address does not exist.
    BadAddress = 8,
    /// The receiving side refused this mail.
    Refused = 9,
    /// The relay refused us or the message.
    Ours = 10,
    /// Deferred until the issue was too old.
    Expired = 11,
    /// The connection was lost after the final dot.
    InDoubt = 12,
    /// Three crashes while sending to this recipient.
    Crashed = 13,
    /// The receiving side asked to come back later.
    Later = 14,
    /// A person ordered it to be sent again.
    Again = 15,
    /// Three panics of this program while sending to this recipient.
    Internal = 16,
    /// The process ended after it had begun to send the message, so the relay's reply was lost.
    Interrupted = 17,
    /// It was in doubt, and a person decided that it counts as handed over.
    Accepted = 18,
    /// A provider reported that it could not authenticate the mail. No recipient has this reason.
    Unauthenticated = 19,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Self; 20] = [
        Self::None,
        Self::Left,
        Self::Removed,
        Self::Bounced,
        Self::Complained,
        Self::Suppressed,
        Self::Erased,
        Self::Cancelled,
        Self::BadAddress,
        Self::Refused,
        Self::Ours,
        Self::Expired,
        Self::InDoubt,
        Self::Crashed,
        Self::Later,
        Self::Again,
        Self::Internal,
        Self::Interrupted,
        Self::Accepted,
        Self::Unauthenticated,
    ];

    /// The reasons for which a recipient can have failed.
    pub const FAILURES: [Self; 5] = [
        Self::Refused,
        Self::Ours,
        Self::Expired,
        Self::BadAddress,
        Self::Internal,
    ];

    /// The reasons that a recipient in this state has; `None` if most have none.
    #[must_use]
    pub fn of_state(state: DeliveryState) -> Option<&'static [Self]> {
        match state {
            DeliveryState::Intent | DeliveryState::Sent => None,
            DeliveryState::Deferred => Some(&[Self::Later, Self::InDoubt, Self::Again]),
            DeliveryState::Failed => Some(&Self::FAILURES),
            DeliveryState::Unknown => Some(&[Self::InDoubt, Self::Interrupted, Self::Crashed]),
            DeliveryState::Skipped => Some(&[
                Self::Left,
                Self::Removed,
                Self::Bounced,
                Self::Complained,
                Self::Suppressed,
                Self::Erased,
                Self::Cancelled,
            ]),
        }
    }

    pub(in crate::mailer) fn of(code: i16) -> Self {
        let found = Self::ALL.into_iter().find(|reason| reason.code() == code);
        found.unwrap_or(Self::None)
    }

    /// The code that is stored in the database.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The reason in a few words, for an editor.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::None => "no reason recorded",
            Self::Left => "unsubscribed",
            Self::Removed => "removed by an editor",
            Self::Bounced => "bounced before",
            Self::Complained => "complained before",
            Self::Suppressed => "must not be mailed",
            Self::Erased => "data erased",
            Self::Cancelled => "issue cancelled",
            Self::BadAddress => "no such address",
            Self::Refused => "refused by the receiving side",
            Self::Ours => "refused: our server or this message",
            Self::Expired => "deferred until the issue was too old",
            Self::InDoubt => "connection lost after the message",
            Self::Crashed => "set aside after three crashes",
            Self::Later => "deferred by the server",
            Self::Again => "to be sent again, as ordered",
            Self::Internal => "an error in Canvass; see its log",
            Self::Interrupted => "Canvass ended before the relay’s reply",
            Self::Accepted => "was in doubt; taken as handed over",
            Self::Unauthenticated => "reported as not authenticated",
        }
    }
}
