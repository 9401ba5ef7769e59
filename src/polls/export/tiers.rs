//! Answers by option and exact tier, without those that would reveal the answers of a few readers.
//!
//! If only one reader of a poll is signed in, the numbers of that tier are that reader's ballot. So the numbers
//! by option and tier are protected like any other two-way table: small cells are hidden. The result shows sums
//! over the tiers it counts; these tiers and the others are two separate tables, so that no hidden cell can be
//! derived from such a sum.

use std::collections::BTreeMap;

use super::document::TIERS;
use crate::polls::model::{Kind, Question, Tier};
use crate::polls::results::Totals;
use crate::polls::statistics::{Shown, protect};
use crate::types::OptionId;

/// How often each option of `question` was chosen in each tier; `None`: hidden. `headline` is the lowest
/// tier that the result counts.
pub fn by_tier(
    question: &Question,
    totals: &Totals,
    headline: Tier,
) -> BTreeMap<(OptionId, Tier), Option<i64>> {
    let mut found = BTreeMap::new();
    for counted in [true, false] {
        let (with, without): (Vec<Tier>, Vec<Tier>) = TIERS
            .into_iter()
            .filter(|tier| (*tier >= headline) == counted)
            .partition(|tier| totals.voters_of(*tier) > 0);
        for option in &question.options {
            // Nobody has this tier, as the list of tiers says anyway.
            found.extend(without.iter().map(|tier| ((option.id, *tier), Some(0))));
        }
        let row = |option: OptionId| -> Vec<i64> {
            let tiers = with.iter();
            tiers.map(|tier| totals.option_of(option, *tier)).collect()
        };
        let options: Vec<OptionId> = question.options.iter().map(|option| option.id).collect();
        if counted && with.len() == 1 {
            // These numbers are the public result.
            found.extend(options.iter().map(|option| {
                let n = totals.option_of(*option, with[0]);
                ((*option, with[0]), Some(n))
            }));
            continue;
        }
        // An option that nobody chose reveals nothing beyond the result. For tiers that the result does
        // not count, that is not so.
        let (lines, empty): (Vec<OptionId>, Vec<OptionId>) = options
            .into_iter()
            .partition(|option| !counted || row(*option).iter().any(|n| *n > 0));
        let mut table: Vec<Vec<i64>> = lines.iter().map(|option| row(*option)).collect();
        if matches!(question.kind, Kind::Single | Kind::Rating) {
            // The readers who left the question out are the rest of the tier.
            let rest = with.iter().enumerate().map(|(at, tier)| {
                let answered: i64 = table.iter().map(|line| line[at]).sum();
                totals.voters_of(*tier) - answered
            });
            let rest: Vec<i64> = rest.collect();
            table.extend(rest.iter().any(|n| *n > 0).then_some(rest));
        }
        let shown = protect(&table);
        for (line, option) in lines.iter().enumerate() {
            for (at, tier) in with.iter().enumerate() {
                let n = match &shown {
                    Shown::Cells(cells) => cells[line][at],
                    Shown::Nothing => None,
                };
                found.insert((*option, *tier), n);
            }
        }
        for option in empty {
            found.extend(with.iter().map(|tier| ((option, *tier), Some(0))));
        }
    }
    found
}
