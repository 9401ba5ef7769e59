//! Why nothing is weighted: shares that cannot be right, or a table that would have a cell to hide.

use std::collections::{BTreeMap, BTreeSet};

use super::Known;
use crate::polls::insight::answers::Counted;
use crate::polls::insight::store::Alike;
use crate::polls::model::{PollOption, Question};
use crate::polls::statistics::cells::SMALLEST_CELL;
use crate::polls::statistics::raking::{Refusal, SMALLEST_EFFECTIVE};
use crate::types::OptionId;

/// Why nothing is weighted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum NotWeighed {
    Refused(Refusal),
    /// Fewer than [`SMALLEST_CELL`] readers of a group, or of those who named no group, gave or did not give an answer.
    SmallCells,
}

/// Whether the table of groups and answers has a cell that must be hidden. The groups are all combinations of
/// answers to the `known` questions that anybody gave, and the readers who left one of these questions out, if
/// there are any. Each group has, for each option of `question` that anybody chose, a cell for the readers who
/// chose it and one for those who did not.
pub(super) fn small_cells(counted: &Counted, question: &Question, known: &[Known<'_>]) -> bool {
    let mut groups: BTreeMap<Option<Vec<OptionId>>, Vec<&Alike>> = BTreeMap::new();
    let answered = |alike: &&Alike| {
        question
            .options
            .iter()
            .any(|o| alike.options.contains(&o.id))
    };
    for alike in counted.alike.iter().filter(answered) {
        let group = known
            .iter()
            .map(|known| {
                let mut given = known.question.options.iter().map(|option| option.id);
                given.find(|id| alike.options.contains(id))
            })
            .collect();
        groups.entry(group).or_default().push(alike);
    }
    // A combination that nobody gave is a cell as well.
    let combinations: usize = (0..known.len())
        .map(|at| {
            let said = groups.keys().flatten().map(|group| group[at]);
            said.collect::<BTreeSet<_>>().len()
        })
        .product();
    let occurring = groups.keys().flatten().count();
    let cell = |group: &[&Alike], chose: bool, option: OptionId| -> i64 {
        let of = group
            .iter()
            .filter(|alike| alike.options.contains(&option) == chose);
        of.map(|alike| alike.n).sum()
    };
    occurring < combinations
        || groups.values().any(|group| {
            let given = |option: &&PollOption| counted.with(option.id) > 0;
            question.options.iter().filter(given).any(|option| {
                [true, false]
                    .into_iter()
                    .any(|chose| cell(group, chose, option.id) < SMALLEST_CELL)
            })
        })
}

/// Why nothing is weighted, in words.
#[must_use]
pub fn refused(why: NotWeighed, known: &[Known<'_>]) -> String {
    let refusal = match why {
        NotWeighed::Refused(refusal) => refusal,
        NotWeighed::SmallCells => {
            return "In some group too few readers gave one of the answers, or skipped one. Weighted shares would reveal what fewer than ten said."
                .to_owned();
        }
    };
    let question = |margin: usize| known.get(margin).map_or("", |k| k.question.text.as_str());
    let option = |margin: usize, group: usize| {
        known
            .get(margin)
            .and_then(|k| k.question.options.get(group))
            .map_or("", |o| o.label.as_str())
    };
    match refusal {
        Refusal::Nothing => "There is nothing to weight yet.".to_owned(),
        Refusal::NoMargin { margin } => format!(
            "The shares for “{}” do not add up to 100 per cent.",
            question(margin)
        ),
        // No number: a count of so few is hidden elsewhere.
        Refusal::SmallGroup { margin, group, .. } => format!(
            "Fewer than ten answered “{}”. They cannot stand for all readers of that group.",
            option(margin, group)
        ),
        Refusal::NoSuchGroup { margin, group, .. } => format!(
            "You gave 0 per cent for “{}”, but readers chose it.",
            option(margin, group)
        ),
        Refusal::NoFit => "No weights fit all these shares at once.".to_owned(),
        Refusal::Capped { missed } => format!(
            "Weights up to the cap miss the shares you gave by {:.1} points. Those who answered are too different from them.",
            missed * 100.0
        ),
        Refusal::TooLittle { effective_size } => format!(
            "After weighting, the answers would be worth no more than {effective_size:.0} equal ones. At least {} are needed.",
            SMALLEST_EFFECTIVE
        ),
    }
}
