//! The state of a subscription: `subscriptions` changes it, and the mailer reads it before each mail.

/// The state of one reader's subscription to one newsletter. Codes are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubscriptionState {
    /// Receives mails.
    Active,
    /// Ended by the reader.
    Left,
    /// Ended by an editor.
    Removed,
    /// The address no longer exists.
    Bounced,
    /// The reader reported a mail as spam.
    Complained,
}

impl SubscriptionState {
    /// The code stored in the database.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::Active => 1,
            Self::Left => 2,
            Self::Removed => 3,
            Self::Bounced => 4,
            Self::Complained => 5,
        }
    }

    /// The state for a code; `None` for a code that no version of Canvass has written.
    #[must_use]
    pub const fn from_code(code: i16) -> Option<Self> {
        Some(match code {
            1 => Self::Active,
            2 => Self::Left,
            3 => Self::Removed,
            4 => Self::Bounced,
            5 => Self::Complained,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::SubscriptionState as State;

    #[test]
    fn codes_and_states_are_one_to_one() {
        for code in 1..=5 {
            assert_eq!(State::from_code(code).map(State::code), Some(code));
        }
        assert_eq!(State::from_code(0), None);
        assert_eq!(State::from_code(6), None);
    }

    #[test]
    fn codes_stay_what_older_databases_hold() {
        let states = [
            State::Active,
            State::Left,
            State::Removed,
            State::Bounced,
            State::Complained,
        ];
        assert_eq!(states.map(State::code), [1, 2, 3, 4, 5]);
    }
}
