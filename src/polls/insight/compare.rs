//! Cross-tabulation of two questions.

use super::answers::Counted;
use crate::polls::model::{Poll, Question};
use crate::polls::statistics::{Group, Shown, protect, shrink};
use crate::types::OptionId;

/// The largest number of cells in a table.
const MOST_CELLS: usize = 2_500;

/// How the readers who gave each answer to one question answered another.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    pub rows: Vec<Line>,
    /// The options of the other question, and how often each was chosen.
    pub columns: Vec<(String, i64)>,
    /// Whether a cell is hidden because it, or one that can be derived from it, is too small.
    pub hides: bool,
}

/// The readers who gave one answer to the first question.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    pub label: String,
    pub n: i64,
    /// `None`: hidden.
    pub cells: Vec<Option<i64>>,
}

/// Why no table is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoTable {
    /// Everything in it would have to be hidden.
    TooSmall,
    /// More options than a table takes.
    TooLarge,
}

/// The questions that can be compared: those with one answer per reader.
pub fn comparable(poll: &Poll) -> impl Iterator<Item = &Question> {
    poll.questions.iter().filter(|q| q.is_single())
}

/// The table of two questions.
///
/// # Errors
/// Why no table can be shown.
pub fn table(counted: &Counted, rows: &Question, columns: &Question) -> Result<Table, NoTable> {
    let (row_ids, row_labels) = answers(counted, rows);
    let (column_ids, column_labels) = answers(counted, columns);
    if counted.ballots == 0 {
        return Err(NoTable::TooSmall);
    }
    if row_ids.len() * column_ids.len() > MOST_CELLS {
        return Err(NoTable::TooLarge);
    }
    let mut counts = vec![vec![0; column_ids.len()]; row_ids.len()];
    for alike in &counted.alike {
        let row = place(&row_ids, rows, &alike.options);
        let column = place(&column_ids, columns, &alike.options);
        if let (Some(row), Some(column)) = (row, column) {
            counts[row][column] += alike.n;
        }
    }
    let Shown::Cells(cells) = protect(&counts) else {
        return Err(NoTable::TooSmall);
    };
    let columns = column_labels
        .into_iter()
        .enumerate()
        .map(|(i, label)| (label, counts.iter().map(|row| row[i]).sum()))
        .collect();
    let hides = cells.iter().flatten().any(Option::is_none);
    let rows = row_labels
        .into_iter()
        .zip(&counts)
        .zip(cells)
        .map(|((label, counts), cells)| Line {
            label,
            n: counts.iter().sum(),
            cells,
        })
        .collect();
    Ok(Table {
        rows,
        columns,
        hides,
    })
}

/// The answers that somebody gave to `question`: its options, and no answer. An answer that nobody gave is left out: an
/// empty line could not be protected, and the result page shows its sum anyway.
fn answers(counted: &Counted, question: &Question) -> (Vec<Option<OptionId>>, Vec<String>) {
    let (mut ids, mut labels) = (Vec::new(), Vec::new());
    for option in &question.options {
        if counted.with(option.id) > 0 {
            ids.push(Some(option.id));
            labels.push(option.label.clone());
        }
    }
    let none = |options: &[OptionId]| !question.options.iter().any(|o| options.contains(&o.id));
    if counted.alike.iter().any(|alike| none(&alike.options)) {
        ids.push(None);
        labels.push("No answer".to_owned());
    }
    (ids, labels)
}

fn place(ids: &[Option<OptionId>], question: &Question, options: &[OptionId]) -> Option<usize> {
    let given = question
        .options
        .iter()
        .map(|o| o.id)
        .find(|id| options.contains(id));
    ids.iter().position(|id| *id == given)
}

/// A group's share of one answer: as counted, and after shrinkage towards the other groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Steadied {
    pub label: String,
    pub n: i64,
    /// `None`: hidden.
    pub k: Option<i64>,
    pub shrunk: Option<f64>,
}

/// The shares of the answer in `column` for each group of the table. Hidden groups stay hidden, and
/// do not affect the others.
#[must_use]
pub fn steadied(table: &Table, column: usize) -> Vec<Steadied> {
    let shown: Vec<Group> = table
        .rows
        .iter()
        .filter_map(|row| {
            let k = row.cells.get(column).copied().flatten()?;
            Some(Group { k, n: row.n })
        })
        .collect();
    let mut shrunk = shrink(&shown)
        .map(|found| found.shares)
        .unwrap_or_default()
        .into_iter();
    table
        .rows
        .iter()
        .map(|row| {
            let k = row.cells.get(column).copied().flatten();
            Steadied {
                label: row.label.clone(),
                n: row.n,
                k,
                shrunk: k.and_then(|_| shrunk.next()),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::store::Alike;
    use super::*;
    use crate::polls::model::{Tier, example};
    use crate::types::UnixMillis;

    /// Two questions with three options each, ids 1 to 6, and how often each pair was chosen.
    fn asked(cells: [[i64; 3]; 3], no_second: [i64; 3]) -> (Poll, Counted) {
        let mut poll = example::single(&["a", "b", "c"]);
        let mut second = poll.questions[0].clone();
        second.key = 2;
        for (i, option) in poll.questions[0].options.iter_mut().enumerate() {
            option.id = OptionId(1 + i as i64);
        }
        for (i, option) in second.options.iter_mut().enumerate() {
            option.id = OptionId(4 + i as i64);
            option.label = ["x", "y", "z"][i].to_owned();
        }
        poll.questions.push(second);
        let mut alike: Vec<Alike> = (0..9)
            .map(|i| Alike {
                options: vec![OptionId(1 + i / 3), OptionId(4 + i % 3)],
                n: cells[i as usize / 3][i as usize % 3],
            })
            .collect();
        alike.extend(no_second.iter().zip(1..).map(|(&n, first)| Alike {
            options: vec![OptionId(first)],
            n,
        }));
        alike.retain(|alike| alike.n > 0);
        let counted = Counted {
            ballots: alike.iter().map(|alike| alike.n).sum(),
            alike,
            at: UnixMillis(0),
            tier: Tier::Anonymous,
        };
        (poll, counted)
    }

    #[test]
    fn a_table_has_the_sums_of_the_result() {
        let (poll, counted) = asked([[20, 30, 40], [50, 60, 70], [80, 90, 100]], [25, 35, 45]);
        let table = table(&counted, &poll.questions[0], &poll.questions[1]).unwrap();
        assert!(!table.hides);
        assert_eq!(table.rows[0].n, counted.with(OptionId(1)));
        assert_eq!(
            table.columns[0],
            ("x".to_owned(), counted.with(OptionId(4)))
        );
        assert_eq!(table.columns[3].0, "No answer");
    }

    #[test]
    fn small_cells_are_hidden_and_their_groups_are_not_steadied() {
        let (poll, counted) = asked([[3, 30, 40], [50, 60, 70], [80, 90, 100]], [0; 3]);
        let table = table(&counted, &poll.questions[0], &poll.questions[1]).unwrap();
        assert!(table.hides);
        let steadied = steadied(&table, 0);
        assert_eq!((steadied[0].k, steadied[0].shrunk), (None, None));
        let whole = super::steadied(&table, 2);
        let last = whole.last().unwrap();
        assert!(last.k == Some(100) && (last.shrunk.unwrap() - 100.0 / 270.0).abs() < 0.05);
    }

    #[test]
    fn a_table_that_would_give_somebody_away_is_not_made() {
        let (poll, counted) = asked([[3, 2, 0], [0, 1, 0], [2, 0, 0]], [0; 3]);
        assert_eq!(
            table(&counted, &poll.questions[0], &poll.questions[1]),
            Err(NoTable::TooSmall)
        );
    }
}
