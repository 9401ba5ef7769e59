//! From what a reader sent to a choice that can be counted, or the reason why it cannot.
//!
//! Options are named by their key: the position in the whole poll, from 1, fixed when the poll is made.
//! So one repeated field (`option=2&option=5`) answers every question of the poll, and no database id
//! appears in a form, a link or the API. A ranked question is answered by `rank.KEY=1`, `rank.KEY=2`, … or by its
//! options in order of preference.

use super::sent::Sent;
use crate::polls::model::{Kind, Poll, PollOption, Question, Role};
use crate::polls::words::{MAX_WORDS_CHARS, NotWords, cleaned};
use crate::types::OptionId;
use crate::types::varint::{self, pack};

/// What one ballot says, valid for the poll it was read against: the options question by question, each once and in the
/// order of the poll, those of a ranked question in order of preference; and the reader's own words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    options: Vec<OptionId>,
    words: Vec<Words>,
}

/// What a reader wrote beside an option: see [`crate::polls::words`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    pub option: OptionId,
    pub text: String,
}

/// Why the input is not a valid answer. `question` is the key of the question to correct, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChoiceError {
    /// A required question has no option chosen.
    Nothing { question: i64 },
    /// A required ranked question has no rank given.
    Unranked { question: i64 },
    /// More options than the question allows.
    TooMany { question: i64, max: i64 },
    /// Fewer options than the question asks for.
    TooFew { question: i64, min: i64 },
    /// Two options of a ranked question have the same rank.
    SameRank { question: i64, rank: i64 },
    /// A rank that the question does not have, or two ranks for one option.
    BadRank { question: i64, max: i64 },
    /// "None of these" together with one of these.
    NotAlone { question: i64 },
    /// The reader's own words beside another answer, although only one answer is allowed.
    TwoAnswers { question: i64 },
    /// More than [`MAX_WORDS_CHARS`] characters.
    LongWords { question: i64 },
    /// Characters that cannot be shown.
    BadWords { question: i64 },
    /// An option this poll does not have: another poll's, or none at all.
    Unknown,
}

impl ChoiceError {
    /// The question to correct, if the fault is in one.
    pub fn question(self) -> Option<i64> {
        match self {
            Self::Nothing { question }
            | Self::Unranked { question }
            | Self::TooMany { question, .. }
            | Self::TooFew { question, .. }
            | Self::SameRank { question, .. }
            | Self::BadRank { question, .. }
            | Self::NotAlone { question }
            | Self::TwoAnswers { question }
            | Self::LongWords { question }
            | Self::BadWords { question } => Some(question),
            Self::Unknown => None,
        }
    }

    /// Whether an answer is merely missing, rather than wrong.
    pub fn is_missing(self) -> bool {
        matches!(self, Self::Nothing { .. } | Self::Unranked { .. })
    }

    /// The message that readers of `poll` see beside the question.
    pub fn message(self, poll: &Poll) -> String {
        match self {
            Self::Nothing { .. } => "Choose an answer.".to_owned(),
            Self::Unranked { .. } => "Give at least your first choice a rank.".to_owned(),
            Self::TooMany { max: 1, .. } => "Choose only one answer.".to_owned(),
            Self::TooMany { max, .. } => format!("Choose at most {max} answers."),
            Self::TooFew { min, .. } => format!("Choose at least {min} answers."),
            Self::SameRank { rank, .. } => {
                format!("Two answers share rank {rank}. Give each its own.")
            }
            Self::BadRank { max, .. } => {
                format!("Use each rank from 1 to {max} no more than once.")
            }
            Self::NotAlone { question } => {
                let question = poll.questions.iter().find(|q| q.key == question);
                let mut options = question.iter().flat_map(|question| &question.options);
                let apart = options.find(|option| option.role == Role::Apart && !option.retired);
                let label = apart.map_or("", |option| &option.label);
                format!(
                    "“{label}” cannot be combined with other answers. Choose it on its own, or clear it."
                )
            }
            Self::TwoAnswers { .. } => {
                "You chose an answer and wrote one of your own. Keep one of them.".to_owned()
            }
            Self::LongWords { .. } => {
                format!("Your own answer can have at most {MAX_WORDS_CHARS} characters.")
            }
            Self::BadWords { .. } => {
                "Write your own answer on one line, without special characters.".to_owned()
            }
            Self::Unknown => "Choose one of this poll’s answers.".to_owned(),
        }
    }
}

/// What was sent, with the options it names.
struct Found<'a> {
    ticked: Vec<&'a PollOption>,
    ranked: Vec<(&'a PollOption, &'a str)>,
    written: Vec<(&'a PollOption, &'a str)>,
}

impl<'a> Found<'a> {
    fn read(poll: &'a Poll, sent: &'a Sent) -> Result<Self, ChoiceError> {
        let mut ticked: Vec<&PollOption> = Vec::new();
        for raw in &sent.options {
            let option = poll.offered(raw).ok_or(ChoiceError::Unknown)?;
            if !ticked.iter().any(|c| c.key == option.key) {
                ticked.push(option);
            }
        }
        let mut ranked: Vec<(&PollOption, &str)> = Vec::new();
        for (raw, rank) in &sent.ranks {
            ranked.push((poll.offered(raw).ok_or(ChoiceError::Unknown)?, rank));
        }
        let mut written: Vec<(&PollOption, &str)> = Vec::new();
        for (raw, words) in &sent.words {
            let option = poll.offered(raw).ok_or(ChoiceError::Unknown)?;
            if option.role != Role::Words || written.iter().any(|(o, _)| o.key == option.key) {
                return Err(ChoiceError::Unknown);
            }
            written.push((option, words));
        }
        Ok(Self {
            ticked,
            ranked,
            written,
        })
    }
}

fn nothing(poll: &Poll) -> ChoiceError {
    let question = poll.questions.first().map_or(1, |q| q.key);
    ChoiceError::Nothing { question }
}

impl Choice {
    /// Reads what a form, a link or a script sent. The same option ticked twice counts once; ranks may have gaps.
    ///
    /// # Errors
    /// The first reason why it is not a valid answer to this poll.
    pub fn read(poll: &Poll, sent: &Sent) -> Result<Self, ChoiceError> {
        let found = Found::read(poll, sent)?;
        let mut choice = Self::default();
        for question in &poll.questions {
            choice.answer(question, &found)?;
        }
        if choice.options.is_empty() {
            return Err(nothing(poll));
        }
        Ok(choice)
    }

    /// Everything to correct: one fault for each question that has one. Empty if the answer is valid.
    pub fn faults(poll: &Poll, sent: &Sent) -> Vec<ChoiceError> {
        let found = match Found::read(poll, sent) {
            Ok(found) => found,
            Err(fault) => return vec![fault],
        };
        let mut choice = Self::default();
        let questions = poll.questions.iter();
        let mut faults: Vec<_> = questions
            .filter_map(|question| choice.answer(question, &found).err())
            .collect();
        if faults.is_empty() && choice.options.is_empty() {
            faults.push(nothing(poll));
        }
        faults
    }

    /// Reads the answer to one question.
    fn answer(&mut self, question: &Question, found: &Found<'_>) -> Result<(), ChoiceError> {
        let of_this = found.ticked.iter().filter(|o| question.has(o.id));
        let mut of_this: Vec<&PollOption> = of_this.copied().collect();
        let ranks = found.ranked.iter().filter(|(o, _)| question.has(o.id));
        if question.kind == Kind::Ranked {
            of_this = in_order(question, of_this, ranks)?;
        } else if ranks.count() > 0 {
            return Err(ChoiceError::Unknown);
        } else {
            for (option, text) in found.written.iter().filter(|(o, _)| question.has(o.id)) {
                self.write(question, &mut of_this, option, text)?;
            }
            of_this.sort_by_key(|option| option.key);
        }
        check(question, &of_this)?;
        self.options.extend(of_this.iter().map(|option| option.id));
        Ok(())
    }

    /// Reads the reader's own words. A reader who writes them need not tick their option as well.
    fn write<'a>(
        &mut self,
        question: &Question,
        chosen: &mut Vec<&'a PollOption>,
        option: &'a PollOption,
        text: &str,
    ) -> Result<(), ChoiceError> {
        let key = question.key;
        let text = cleaned(text).map_err(|not| match not {
            NotWords::TooLong => ChoiceError::LongWords { question: key },
            NotWords::Unprintable => ChoiceError::BadWords { question: key },
        })?;
        if !chosen.iter().any(|o| o.key == option.key) {
            if question.is_single() && !chosen.is_empty() {
                return Err(ChoiceError::TwoAnswers { question: key });
            }
            chosen.push(option);
        }
        if !text.is_empty() {
            self.words.push(Words {
                option: option.id,
                text,
            });
        }
        Ok(())
    }

    /// The options: question by question, those of a ranked question in order of preference.
    pub fn options(&self) -> &[OptionId] {
        &self.options
    }

    /// What the reader wrote.
    pub fn words(&self) -> &[Words] {
        &self.words
    }

    /// The same without the reader's own words.
    #[must_use]
    pub fn without_words(self) -> Self {
        Self {
            words: Vec::new(),
            ..self
        }
    }

    /// The rankings on this ballot: the key of each ranked question that was answered, and its options by preference.
    pub fn rankings(&self, poll: &Poll) -> impl Iterator<Item = (i64, Vec<OptionId>)> {
        poll.questions
            .iter()
            .filter(|question| question.kind == Kind::Ranked)
            .map(|question| {
                let of_this = self.options.iter().filter(|id| question.has(**id));
                (question.key, of_this.copied().collect::<Vec<_>>())
            })
            .filter(|(_, ranking)| !ranking.is_empty())
    }

    /// The encoding in a ballot's row: the option ids as varints; then, if the reader wrote something, a zero byte, and
    /// for each text the option, the length in bytes and the text.
    pub fn to_stored(&self) -> Vec<u8> {
        let mut stored = pack(&self.options.iter().map(|id| id.0).collect::<Vec<_>>());
        if !self.words.is_empty() {
            stored.push(0);
        }
        for words in &self.words {
            let length = i64::try_from(words.text.len()).unwrap_or(0);
            stored.extend(pack(&[words.option.0, length]));
            stored.extend(words.text.as_bytes());
        }
        stored
    }

    /// Decodes a ballot's row, as written by [`to_stored`](Self::to_stored).
    pub fn from_stored(stored: &[u8]) -> Self {
        let mut choice = Self::default();
        let mut rest = stored;
        while let Some(id) = varint::read(&mut rest).filter(|id| *id != 0) {
            choice.options.push(OptionId(id));
        }
        while let (Some(option), Some(length)) = (varint::read(&mut rest), varint::read(&mut rest))
        {
            let length = usize::try_from(length)
                .unwrap_or(usize::MAX)
                .min(rest.len());
            let (text, after) = rest.split_at(length);
            choice.words.push(Words {
                option: OptionId(option),
                text: String::from_utf8_lossy(text).into_owned(),
            });
            rest = after;
        }
        choice
    }
}

/// The options on a ballot's row: see [`Choice::from_stored`].
pub fn stored_options(stored: &[u8]) -> Vec<OptionId> {
    Choice::from_stored(stored).options
}

/// The options of a ranked question by preference: by rank, or in the order they were ticked.
fn in_order<'a, 'b>(
    question: &Question,
    ticked: Vec<&'a PollOption>,
    ranks: impl Iterator<Item = &'b (&'a PollOption, &'b str)>,
) -> Result<Vec<&'a PollOption>, ChoiceError>
where
    'a: 'b,
{
    let key = question.key;
    let bad = ChoiceError::BadRank {
        question: key,
        max: question.max_choices,
    };
    let mut by_rank: Vec<(i64, &PollOption)> = Vec::new();
    for (option, raw) in ranks {
        let rank = raw
            .parse::<i64>()
            .ok()
            .filter(|rank| rank.to_string() == *raw && (1..=question.max_choices).contains(rank))
            .ok_or(bad)?;
        if by_rank.iter().any(|(_, o)| o.key == option.key) {
            return Err(bad);
        }
        if by_rank.iter().any(|(r, _)| *r == rank) {
            return Err(ChoiceError::SameRank {
                question: key,
                rank,
            });
        }
        by_rank.push((rank, option));
    }
    if by_rank.is_empty() {
        return Ok(ticked);
    }
    // Ranks and ticks together are ambiguous.
    if !ticked.is_empty() {
        return Err(bad);
    }
    by_rank.sort_by_key(|(rank, _)| *rank);
    Ok(by_rank.into_iter().map(|(_, option)| option).collect())
}

fn check(question: &Question, chosen: &[&PollOption]) -> Result<(), ChoiceError> {
    let n = i64::try_from(chosen.len()).unwrap_or(i64::MAX);
    let (min, max) = (question.min_choices.max(1), question.max_choices);
    let question_key = question.key;
    if n == 0 && question.required {
        return Err(match question.kind {
            Kind::Ranked => ChoiceError::Unranked {
                question: question_key,
            },
            _ => ChoiceError::Nothing {
                question: question_key,
            },
        });
    }
    if n == 0 {
        return Ok(());
    }
    let stands_alone = n == 1 && chosen.iter().all(|o| o.role == Role::Apart);
    // This is checked first: a reader who was told only that there are too many options, and removed
    // some, would be refused again.
    if n > 1 && chosen.iter().any(|o| o.role == Role::Apart) {
        return Err(ChoiceError::NotAlone {
            question: question_key,
        });
    }
    if n > max {
        return Err(ChoiceError::TooMany {
            question: question_key,
            max,
        });
    }
    // "None of these" is one answer, however many options the question requires.
    if n < min && !stands_alone {
        return Err(ChoiceError::TooFew {
            question: question_key,
            min,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
