//! Answers by option and exact tier, without those that would reveal the answers of a few readers.
//!
//! If only one reader of a poll is signed in, the numbers of that tier are that reader's ballot. So the numbers
//! by option and tier are protected like any other two-way table: small cells are hidden. The result shows sums
//! over the tiers it counts; these tiers and the others are two separate tables, so that no hidden cell can be
//! derived from such a sum. Where a reader may choose several options, each option has a table of its own: who chose
//! it, and who did not.

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
        let (with, nobodys): (Vec<Tier>, Vec<Tier>) = TIERS
            .into_iter()
            .filter(|tier| (*tier >= headline) == counted)
            .partition(|tier| totals.voters_of(*tier) > 0);
        for option in &question.options {
            // Nobody has this tier, as the list of tiers says anyway.
            found.extend(nobodys.iter().map(|tier| ((option.id, *tier), Some(0))));
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
        let voters: Vec<i64> = with.iter().map(|tier| totals.voters_of(*tier)).collect();
        let shown: Vec<Vec<Option<i64>>> = match question.kind {
            Kind::Single | Kind::Rating => {
                // The readers who left the question out are the rest of the tier.
                let rest = without(&table, &voters);
                table.extend(rest.iter().any(|n| *n > 0).then_some(rest));
                shown_of(&table)
            }
            Kind::Several | Kind::Ranked => table.iter().map(|row| both(row, &voters)).collect(),
        };
        for (option, cells) in lines.iter().zip(shown) {
            let cells = with.iter().zip(cells);
            found.extend(cells.map(|(tier, n)| ((*option, *tier), n)));
        }
        for option in empty {
            found.extend(with.iter().map(|tier| ((option, *tier), Some(0))));
        }
    }
    found
}

/// The voters of each column that are in none of the rows.
fn without(rows: &[Vec<i64>], voters: &[i64]) -> Vec<i64> {
    let rest = voters.iter().enumerate().map(|(at, voters)| {
        let inside: i64 = rows.iter().map(|row| row[at]).sum();
        voters - inside
    });
    rest.collect()
}

/// What may be shown of an option's numbers if a reader may choose others, too: the rest of a tier did not choose it.
fn both(chose: &[i64], voters: &[i64]) -> Vec<Option<i64>> {
    let not = without(&[chose.to_vec()], voters);
    shown_of(&[chose.to_vec(), not]).swap_remove(0)
}

fn shown_of(table: &[Vec<i64>]) -> Vec<Vec<Option<i64>>> {
    match protect(table) {
        Shown::Cells(cells) => cells,
        Shown::Nothing => table.iter().map(|row| vec![None; row.len()]).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_did_not_choose_an_option_is_protected_as_well() {
        // Eleven of twelve chose it: what the twelfth did would follow.
        assert_eq!(both(&[11], &[12]), [None]);
        assert_eq!(both(&[11], &[30]), [Some(11)]);
        assert_eq!(both(&[11, 40, 50], &[12, 90, 90]), [None, None, Some(50)]);
        assert_eq!(both(&[20, 40], &[50, 90]), [Some(20), Some(40)]);
    }
}
