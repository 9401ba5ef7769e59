//! What a question is: its kind, its options, and their order. Pure.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::types::OptionId;

/// A question with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Position in the poll, from 1.
    pub key: i64,
    pub text: String,
    pub required: bool,
    pub kind: Kind,
    /// In a ranked question: how many ranks must be given at least.
    pub min_choices: i64,
    /// In a ranked question: how many ranks may be given at most.
    pub max_choices: i64,
    pub order: Order,
    /// For a rating only.
    pub scale: Option<Scale>,
    pub options: Vec<PollOption>,
}

/// One option. Its key is its position in the whole poll, from 1, and never changes once the poll is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollOption {
    pub id: OptionId,
    pub key: i64,
    pub label: String,
    pub role: Role,
    pub picture: Option<Picture>,
    /// No longer offered; answers given before still count.
    pub retired: bool,
}

/// How a question is answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[schema(as = QuestionKind)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One option.
    #[default]
    Single,
    /// Between `min_choices` and `max_choices` options.
    Several,
    /// One point of a scale; the options are its points, in rising order.
    Rating,
    /// Options in order of preference, as many as the reader likes; the result is an instant run-off.
    Ranked,
}

/// The order in which a reader sees the options.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// As the editor wrote them.
    #[default]
    Fixed,
    /// Shuffled for each reader; "Other" and "None of these" stay last.
    Random,
}

/// The role of an option.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Role {
    #[default]
    Plain,
    /// "Other", with a field for the reader's own words. Comes after the plain options.
    Words,
    /// "None of these": comes last, and excludes all other options on a ballot.
    Apart,
}

/// The scale of a rating: the point of the first option, and the texts at both ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scale {
    pub from: i64,
    pub low: String,
    pub high: String,
}

/// A picture beside an option, always on this site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// An absolute path on this site.
    pub path: String,
    /// The alternative text.
    pub alt: String,
    /// Width and height in pixels, if known.
    pub size: Option<(i64, i64)>,
}

impl Question {
    /// Whether one answer excludes the others, so that shares sum to 100.
    pub fn is_single(&self) -> bool {
        matches!(self.kind, Kind::Single | Kind::Rating)
    }

    /// Whether this is one of its options.
    pub fn has(&self, option: OptionId) -> bool {
        self.options.iter().any(|o| o.id == option)
    }

    /// The point of the scale for the option at this index.
    pub fn point(&self, place: usize) -> Option<i64> {
        let from = self.scale.as_ref()?.from;
        Some(from.saturating_add(i64::try_from(place).ok()?))
    }
}

impl Kind {
    pub fn from_code(code: i16) -> Self {
        match code {
            1 => Self::Several,
            2 => Self::Rating,
            3 => Self::Ranked,
            _ => Self::Single,
        }
    }

    pub fn code(self) -> i16 {
        match self {
            Self::Single => 0,
            Self::Several => 1,
            Self::Rating => 2,
            Self::Ranked => 3,
        }
    }

    /// The name used by scripts, forms and style sheets.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Several => "several",
            Self::Rating => "rating",
            Self::Ranked => "ranked",
        }
    }

    /// The kind with this [`name`](Self::name).
    pub fn named(name: &str) -> Option<Self> {
        [Self::Single, Self::Several, Self::Rating, Self::Ranked]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

impl Order {
    pub fn from_code(code: i16) -> Self {
        match code {
            1 => Self::Random,
            _ => Self::Fixed,
        }
    }

    pub fn code(self) -> i16 {
        match self {
            Self::Fixed => 0,
            Self::Random => 1,
        }
    }
}

impl Role {
    pub fn from_code(code: i16) -> Self {
        match code {
            1 => Self::Words,
            2 => Self::Apart,
            _ => Self::Plain,
        }
    }

    pub fn code(self) -> i16 {
        match self {
            Self::Plain => 0,
            Self::Words => 1,
            Self::Apart => 2,
        }
    }
}

impl Question {
    /// An option's label in a result. At the ends of a scale it includes their meaning, since the
    /// points alone say nothing.
    pub fn shown_label(&self, option: &PollOption) -> String {
        let Some(scale) = self.scale.as_ref().filter(|_| self.kind == Kind::Rating) else {
            return option.label.clone();
        };
        let end = match self.options.iter().position(|o| o.id == option.id) {
            Some(0) => &scale.low,
            Some(at) if at + 1 == self.options.len() => &scale.high,
            _ => return option.label.clone(),
        };
        if end.is_empty() {
            option.label.clone()
        } else {
            format!("{} ({end})", option.label)
        }
    }
}

/// The most options a ranked question may have.
pub const MAX_RANKED_OPTIONS: usize = 12;
/// The most different rankings that a question may allow, which bounds the cost of reading its result.
const MOST_RANKINGS: i64 = 110_000;

/// How many ranks a question with this many options may ask for, so that there are at most 110,000 different
/// rankings: all ranks for up to 8 options, 6 for 9 options, 5 for 10 to 12. The result is computed from one row of
/// the tally for each ranking that occurs, so its cost is bounded whatever the number of ballots.
pub fn deepest_ranking(options: usize) -> i64 {
    let options = i64::try_from(options.min(MAX_RANKED_OPTIONS)).unwrap_or(0);
    let (mut all, mut of_this_depth) = (0_i64, 1_i64);
    for depth in 0..options {
        of_this_depth *= options - depth;
        all += of_this_depth;
        if all > MOST_RANKINGS {
            return depth;
        }
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_survive_the_round_trip() {
        for code in 0..4 {
            let kind = Kind::from_code(code);
            assert_eq!(kind.code(), code);
            assert_eq!(Kind::named(kind.name()), Some(kind));
        }
        for code in 0..2 {
            assert_eq!(Order::from_code(code).code(), code);
        }
        for code in 0..3 {
            assert_eq!(Role::from_code(code).code(), code);
        }
        assert_eq!(Kind::named("multiple"), None);
    }

    #[test]
    fn rankings_are_as_deep_as_their_number_allows() {
        let depths: Vec<i64> = (0..=14).map(deepest_ranking).collect();
        assert_eq!(depths, [0, 1, 2, 3, 4, 5, 6, 7, 8, 6, 5, 5, 5, 5, 5]);
        // 8! / 0! + 8! / 1! + … = 109,600.
        assert!(
            (1..=8)
                .fold((0, 1), |(all, n), depth| (
                    all + n * (9 - depth),
                    n * (9 - depth)
                ))
                .0
                <= MOST_RANKINGS
        );
    }
}
