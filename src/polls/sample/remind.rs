//! Selects whom a reminder goes to. Pure.
//!
//! A reader who is reminded has not answered, so a list of the reminded reveals who has. A ballot carries the time
//! it was cast: if only one reader had answered before the reminder was sent, the one earlier ballot would be
//! theirs. So a reminder never creates a group of fewer than ten: if fewer have answered, everybody is reminded,
//! and if fewer are left, nobody is.

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
    /// Sent once, to those who have not answered.
    Reminder,
}

/// The minimum time between the invitation and the reminder: three days.
pub const PAUSE: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// The smallest group that a reminder may create, the same as for any cell of a table.
const SMALLEST: usize = 10;

impl Round {
    /// The code stored in `issue`.
    #[must_use]
    pub fn code(self) -> i16 {
        match self {
            Self::Invitation => 1,
            Self::Reminder => 2,
        }
    }

    /// The round with this code; 0 is none.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        match code {
            1 => Some(Self::Invitation),
            2 => Some(Self::Reminder),
            _ => None,
        }
    }
}

/// The readers to remind, among those who were drawn; `Err`: nobody, and why.
pub fn to_remind(
    drawn: &[ReaderId],
    answered: impl Fn(ReaderId) -> bool,
) -> Result<Vec<ReaderId>, &'static str> {
    let open: Vec<ReaderId> = drawn.iter().copied().filter(|r| !answered(*r)).collect();
    let done = drawn.len() - open.len();
    if open.len() < SMALLEST {
        return Err(
            "Fewer than ten readers have not answered. A reminder to so few would reveal who they are, so none is sent.",
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
