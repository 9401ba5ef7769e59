//! Whom a reminder goes to. Pure.
//!
//! Who is reminded has not answered, so a list of those who are tells who has. A ballot carries the time it was cast: if one reader alone had
//! answered before the reminder left, the one ballot from before would be theirs. So a reminder never makes a group of fewer than ten: where fewer
//! have answered all are reminded, and where fewer are left nobody is.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use crate::types::ReaderId;

/// A mail to the sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = SampleRound)]
#[serde(rename_all = "lowercase")]
pub enum Round {
    Invitation,
    /// One, to those who have not answered.
    Reminder,
}

/// At least so long after the invitation left: three days.
pub const PAUSE: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// The smallest group a reminder may make, as that of any cell of a table.
const SMALLEST: usize = 10;

impl Round {
    /// As the `issue` keeps it.
    #[must_use]
    pub fn code(self) -> i16 {
        match self {
            Self::Invitation => 1,
            Self::Reminder => 2,
        }
    }

    /// The round of a code; 0 is none.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        match code {
            1 => Some(Self::Invitation),
            2 => Some(Self::Reminder),
            _ => None,
        }
    }
}

/// Whom to remind, of those who were drawn; `Err`: nobody, and why.
pub fn to_remind(
    drawn: &[ReaderId],
    answered: impl Fn(ReaderId) -> bool,
) -> Result<Vec<ReaderId>, &'static str> {
    let open: Vec<ReaderId> = drawn.iter().copied().filter(|r| !answered(*r)).collect();
    let done = drawn.len() - open.len();
    if open.len() < SMALLEST {
        return Err(
            "Fewer than ten have not answered. A reminder to so few would show who they are, so there is none.",
        );
    }
    if done < SMALLEST {
        return Ok(drawn.to_vec());
    }
    Ok(open)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reminded(drawn: i64, answered: i64) -> Result<usize, &'static str> {
        let drawn: Vec<ReaderId> = (1..=drawn).map(ReaderId).collect();
        to_remind(&drawn, |reader| reader.0 <= answered).map(|readers| readers.len())
    }

    #[test]
    fn no_reminder_makes_a_group_of_fewer_than_ten() {
        assert_eq!(reminded(100, 0), Ok(100));
        assert_eq!(reminded(100, 1), Ok(100), "all, so that nobody stands out");
        assert_eq!(reminded(100, 9), Ok(100));
        assert_eq!(reminded(100, 10), Ok(90));
        assert_eq!(reminded(100, 90), Ok(10));
        assert!(reminded(100, 91).is_err());
        assert!(reminded(100, 100).is_err());
        assert!(reminded(9, 0).is_err());
    }

    #[test]
    fn rounds_survive_their_codes() {
        for round in [Round::Invitation, Round::Reminder] {
            assert_eq!(Round::from_code(round.code()), Some(round));
        }
        assert_eq!(Round::from_code(0), None);
    }
}
