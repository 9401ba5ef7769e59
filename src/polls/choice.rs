//! From what a reader sent to an answer that can be counted, or the reason why not.
//!
//! Options are named by their key: the position in the whole poll, from 1, fixed when the poll is made.
//! So one repeated field (`option=2&option=5`) answers every question of the poll, and no database id
//! appears in a form, a link or the API.

use super::model::{Poll, PollOption, Question};
use crate::types::OptionId;
use crate::types::keys::pack;

/// What one ballot says: options in the order of the poll, each once, valid for the poll it was made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice(Vec<OptionId>);

/// Why what was sent is not an answer. `question` is the key of the question to mend, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChoiceError {
    /// A required question has no option chosen.
    Nothing { question: i64 },
    /// More options than the question allows.
    TooMany { question: i64, max: i64 },
    /// Fewer options than the question asks for.
    TooFew { question: i64, min: i64 },
    /// An option this poll does not have: another poll's, or none at all.
    Unknown,
}

impl ChoiceError {
    /// The question to mend, if the fault lies in one.
    pub fn question(self) -> Option<i64> {
        match self {
            Self::Nothing { question }
            | Self::TooMany { question, .. }
            | Self::TooFew { question, .. } => Some(question),
            Self::Unknown => None,
        }
    }

    /// What the reader reads beside the question.
    pub fn message(self) -> String {
        match self {
            Self::Nothing { .. } => "Choose an answer".to_owned(),
            Self::TooMany { max, .. } => format!("Choose at most {max} answers"),
            Self::TooFew { min, .. } => format!("Choose at least {min} answers"),
            Self::Unknown => "Choose one of the answers of this poll".to_owned(),
        }
    }
}

impl Choice {
    /// Reads the keys a form, a link or a script sent. The same option twice counts once.
    ///
    /// # Errors
    /// The first reason why it is not an answer to this poll.
    pub fn read<S: AsRef<str>>(poll: &Poll, sent: &[S]) -> Result<Self, ChoiceError> {
        let mut chosen: Vec<&PollOption> = Vec::with_capacity(sent.len());
        for raw in sent {
            let option = poll.offered(raw.as_ref()).ok_or(ChoiceError::Unknown)?;
            if !chosen.iter().any(|c| c.key == option.key) {
                chosen.push(option);
            }
        }
        chosen.sort_by_key(|option| option.key);
        for question in &poll.questions {
            check(question, &chosen)?;
        }
        if chosen.is_empty() {
            let question = poll.questions.first().map_or(1, |q| q.key);
            return Err(ChoiceError::Nothing { question });
        }
        Ok(Self(chosen.into_iter().map(|option| option.id).collect()))
    }

    /// The options, in the order of the poll.
    pub fn options(&self) -> &[OptionId] {
        &self.0
    }

    /// How a ballot's row keeps it: the ids as varints.
    pub fn to_stored(&self) -> Vec<u8> {
        pack(&self.0.iter().map(|id| id.0).collect::<Vec<_>>())
    }
}

/// Reads a ballot's row, written by [`Choice::to_stored`].
pub fn stored_options(stored: &[u8]) -> Vec<OptionId> {
    let (mut options, mut value, mut shift) = (Vec::new(), 0_u64, 0_u32);
    for &byte in stored {
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        shift += 7;
        if byte & 0x80 == 0 {
            options.push(OptionId(value as i64));
            (value, shift) = (0, 0);
        }
    }
    options
}

fn check(question: &Question, chosen: &[&PollOption]) -> Result<(), ChoiceError> {
    let n = chosen
        .iter()
        .filter(|c| question.options.iter().any(|o| o.key == c.key))
        .count();
    let n = i64::try_from(n).unwrap_or(i64::MAX);
    let (min, max) = (question.min_choices.max(1), question.max_choices);
    match question.key {
        question_key if n == 0 && question.required => Err(ChoiceError::Nothing {
            question: question_key,
        }),
        _ if n == 0 => Ok(()),
        question_key if n > max => Err(ChoiceError::TooMany {
            question: question_key,
            max,
        }),
        question_key if n < min => Err(ChoiceError::TooFew {
            question: question_key,
            min,
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polls::model::sample;
    use proptest::prelude::*;

    #[test]
    fn one_option_of_the_poll_is_an_answer() {
        let poll = sample::single(&["yes", "no"]);
        let choice = Choice::read(&poll, &["2"]).expect("valid");
        assert_eq!(choice.options(), [OptionId(102)]);
        assert_eq!(stored_options(&choice.to_stored()), [OptionId(102)]);
    }

    #[test]
    fn nothing_too_many_too_few_and_foreign_have_their_own_reason() {
        let poll = sample::single(&["yes", "no"]);
        assert_eq!(
            Choice::read::<&str>(&poll, &[]),
            Err(ChoiceError::Nothing { question: 1 })
        );
        assert_eq!(
            Choice::read(&poll, &["1", "2"]),
            Err(ChoiceError::TooMany {
                question: 1,
                max: 1
            })
        );
        for foreign in [
            "3",
            "0",
            "-1",
            "99999999999",
            "",
            " 1",
            "01",
            "+1",
            "yes\0",
            "１",
        ] {
            assert_eq!(
                Choice::read(&poll, &[foreign]),
                Err(ChoiceError::Unknown),
                "{foreign:?}"
            );
        }
        let several = sample::several(&["a", "b", "c", "d"], 2, 3);
        assert_eq!(
            Choice::read(&several, &["1"]),
            Err(ChoiceError::TooFew {
                question: 1,
                min: 2
            })
        );
        assert_eq!(
            Choice::read(&several, &["1", "2", "3", "4"]),
            Err(ChoiceError::TooMany {
                question: 1,
                max: 3
            })
        );
    }

    #[test]
    fn the_same_option_twice_is_one_choice() {
        let poll = sample::single(&["yes", "no"]);
        assert_eq!(
            Choice::read(&poll, &["1", "1"]).map(|c| c.options().to_vec()),
            Ok(vec![OptionId(101)])
        );
    }

    #[test]
    fn a_retired_option_is_no_longer_offered() {
        let mut poll = sample::single(&["yes", "no"]);
        poll.questions[0].options[1].retired = true;
        assert_eq!(Choice::read(&poll, &["2"]), Err(ChoiceError::Unknown));
    }

    #[test]
    fn an_optional_question_may_stay_open_but_not_the_whole_poll() {
        let mut poll = sample::single(&["yes", "no"]);
        poll.questions[0].required = false;
        assert_eq!(
            Choice::read::<&str>(&poll, &[]),
            Err(ChoiceError::Nothing { question: 1 })
        );
    }

    proptest! {
        #[test]
        fn whatever_is_sent_an_accepted_choice_is_within_the_rules(sent in proptest::collection::vec("[0-9a-z ,-]{0,3}", 0..8)) {
            let poll = sample::several(&["a", "b", "c", "d", "e"], 2, 4);
            if let Ok(choice) = Choice::read(&poll, &sent) {
                prop_assert!((2..=4).contains(&choice.options().len()));
                prop_assert!(choice.options().iter().all(|id| (101..=105).contains(&id.0)));
                prop_assert!(choice.options().is_sorted());
                prop_assert_eq!(stored_options(&choice.to_stored()), choice.options());
            }
        }
    }
}
