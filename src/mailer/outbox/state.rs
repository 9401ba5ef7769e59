//! The states of a single mail, as stored in its column. Numbers are never reused.

/// The state of a single mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailState {
    /// To be sent, for the first time or again.
    Waiting = 0,
    /// The final dot is about to be sent.
    Intent = 1,
    /// Accepted by the relay.
    Sent = 2,
    /// Refused for good.
    Failed = 3,
    /// In doubt, and held for a person to decide.
    Unknown = 4,
    /// It became useless before it could be sent.
    Expired = 5,
}

impl MailState {
    const ALL: [Self; 6] = [
        Self::Waiting,
        Self::Intent,
        Self::Sent,
        Self::Failed,
        Self::Unknown,
        Self::Expired,
    ];

    /// Mails that wait or are being sent.
    pub const WAITING: [Self; 2] = [Self::Waiting, Self::Intent];
    /// The same, and those in doubt, which a person may still order to be sent.
    pub(super) const OPEN: [Self; 3] = [Self::Waiting, Self::Intent, Self::Unknown];

    /// The code that is stored in the database.
    #[must_use]
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// The SQL condition that a row of the table is in one of these states.
    #[must_use]
    pub fn is_one_of(states: &[Self]) -> String {
        let codes: Vec<String> = states.iter().map(|s| s.code().to_string()).collect();
        format!("state IN ({})", codes.join(", "))
    }

    /// The state with this code; `None` for a code that no version of Canvass wrote.
    #[must_use]
    pub fn of(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// How a single mail can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Final {
    Sent,
    Failed,
    Unknown,
    Expired,
}

impl Final {
    /// Its code in the database.
    pub(super) fn code(self) -> i16 {
        let state = match self {
            Self::Sent => MailState::Sent,
            Self::Failed => MailState::Failed,
            Self::Unknown => MailState::Unknown,
            Self::Expired => MailState::Expired,
        };
        state.code()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stay_what_older_databases_hold() {
        assert_eq!(MailState::ALL.map(|s| s as i16), [0, 1, 2, 3, 4, 5]);
        for state in MailState::ALL {
            assert_eq!(MailState::of(state as i16), Some(state));
        }
        assert_eq!(MailState::of(-1), None);
        assert_eq!(MailState::of(6), None);
        let ends = [Final::Sent, Final::Failed, Final::Unknown, Final::Expired];
        assert_eq!(ends.map(Final::code), [2, 3, 4, 5]);
    }
}
