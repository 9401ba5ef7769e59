//! Cell suppression: which cells of a table may be shown if its margins are public.
//!
//! A cell under [`SMALLEST_CELL`] is hidden. It must not be derivable from the rest, since the sums of rows and columns
//! are on the result page. So three more cells are hidden with it, the other corners of a rectangle (Cox 1980, JASA 75,
//! 377): answers can be moved around the rectangle, by at least [`SMALLEST_CELL`], without changing any shown number or
//! sum, so each of the four could have a whole range of values.

/// Smaller numbers are not shown in a cell.
pub const SMALLEST_CELL: i64 = 10;

/// What may be shown of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Row by row; `None`: hidden.
    Cells(Vec<Vec<Option<i64>>>),
    /// The table is too small: nothing can be shown without revealing what must be hidden.
    Nothing,
}

/// Hides what must be hidden in a table of counts. All rows must have the same length.
#[must_use]
pub fn protect(table: &[Vec<i64>]) -> Shown {
    let mut hidden: Vec<Vec<bool>> = table
        .iter()
        .map(|row| row.iter().map(|&n| n < SMALLEST_CELL).collect())
        .collect();
    let small: Vec<(usize, usize)> = places(&hidden);
    for &at in &small {
        let Some(corners) = cheapest(table, &hidden, at) else {
            return Shown::Nothing;
        };
        for (row, column) in corners {
            hidden[row][column] = true;
        }
    }
    Shown::Cells(
        table
            .iter()
            .zip(&hidden)
            .map(|(row, hidden)| {
                row.iter()
                    .zip(hidden)
                    .map(|(&n, &hidden)| (!hidden).then_some(n))
                    .collect()
            })
            .collect(),
    )
}

fn places(hidden: &[Vec<bool>]) -> Vec<(usize, usize)> {
    let row = |(i, row): (usize, &Vec<bool>)| -> Vec<(usize, usize)> {
        (0..row.len()).filter(|&j| row[j]).map(|j| (i, j)).collect()
    };
    hidden.iter().enumerate().flat_map(row).collect()
}

/// The other corners of the rectangle that hides the fewest further answers, among those with a sufficient range.
fn cheapest(
    table: &[Vec<i64>],
    hidden: &[Vec<bool>],
    (row, column): (usize, usize),
) -> Option<[(usize, usize); 3]> {
    let mut best: Option<(i64, [(usize, usize); 3])> = None;
    for other_row in (0..table.len()).filter(|&r| r != row) {
        for other_column in (0..table[row].len()).filter(|&c| c != column) {
            let corners = [
                (row, other_column),
                (other_row, column),
                (other_row, other_column),
            ];
            let [beside, below, across] = corners.map(|(r, c)| table[r][c].max(0));
            // Moving answers one way takes them from `beside` and `below`; the other way from the cell
            // itself and from `across`.
            let range = beside.min(below) + table[row][column].max(0).min(across);
            if range < SMALLEST_CELL {
                continue;
            }
            let cost = corners
                .iter()
                .filter(|(r, c)| !hidden[*r][*c])
                .map(|(r, c)| table[*r][*c])
                .sum();
            if best.as_ref().is_none_or(|(least, _)| cost < *least) {
                best = Some((cost, corners));
            }
        }
    }
    best.map(|(_, corners)| corners)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hidden(table: &[&[i64]]) -> Option<Vec<(usize, usize)>> {
        let table: Vec<Vec<i64>> = table.iter().map(|row| row.to_vec()).collect();
        match protect(&table) {
            Shown::Nothing => None,
            Shown::Cells(cells) => Some(places(
                &cells
                    .iter()
                    .map(|row| row.iter().map(Option::is_none).collect())
                    .collect::<Vec<_>>(),
            )),
        }
    }

    #[test]
    fn large_cells_are_all_shown() {
        assert_eq!(hidden(&[&[10, 20], &[30, 40]]), Some(vec![]));
        assert_eq!(hidden(&[]), Some(vec![]));
    }

    #[test]
    fn a_small_cell_takes_the_cheapest_rectangle_with_it() {
        let found = hidden(&[&[3, 20, 90], &[15, 12, 80], &[70, 60, 50]]);
        assert_eq!(found, Some(vec![(0, 0), (0, 1), (1, 0), (1, 1)]));
    }

    #[test]
    fn a_table_too_small_to_hide_in_is_not_shown() {
        assert_eq!(hidden(&[&[3, 20, 90]]), None);
        assert_eq!(hidden(&[&[3], &[40]]), None);
        // There is nowhere to move ten answers to.
        assert_eq!(hidden(&[&[1, 2], &[3, 4]]), None);
    }

    /// By how many a cell could be greater (or smaller), up to [`SMALLEST_CELL`], with the same sums and the same shown
    /// cells. Moves one answer at a time, along paths of hidden cells that are lowered and raised in turn.
    fn play(
        table: &[Vec<i64>],
        cells: &[Vec<Option<i64>>],
        at: (usize, usize),
        raise: bool,
    ) -> i64 {
        let mut now = table.to_vec();
        let mut steps = 0;
        while steps < SMALLEST_CELL
            && let Some(path) = path(&now, cells, at, raise)
        {
            now[at.0][at.1] += if raise { 1 } else { -1 };
            for (i, (r, c)) in path.into_iter().enumerate() {
                now[r][c] += if raise == (i % 2 == 0) { -1 } else { 1 };
            }
            steps += 1;
        }
        steps
    }

    /// The cells to change in turn, from the row of `at` to its column; the first one in the
    /// opposite direction to `at`.
    fn path(
        now: &[Vec<i64>],
        cells: &[Vec<Option<i64>>],
        at: (usize, usize),
        raise: bool,
    ) -> Option<Vec<(usize, usize)>> {
        let movable = |r: usize, c: usize, up: bool| {
            (r, c) != at && cells[r][c].is_none() && (up || now[r][c] > 0)
        };
        if !raise && now[at.0][at.1] == 0 {
            return None;
        }
        let mut open = vec![(at.0, Vec::new())];
        let mut rows = vec![at.0];
        while let Some((row, path)) = open.pop() {
            for c in (0..now[0].len()).filter(|&c| movable(row, c, !raise)) {
                let mut path: Vec<(usize, usize)> = path.clone();
                path.push((row, c));
                if c == at.1 {
                    return Some(path);
                }
                for r in (0..now.len()).filter(|&r| movable(r, c, raise)) {
                    if !rows.contains(&r) {
                        rows.push(r);
                        let mut path = path.clone();
                        path.push((r, c));
                        open.push((r, path));
                    }
                }
            }
        }
        None
    }

    proptest! {
        #[test]
        fn no_hidden_cell_follows_from_the_sums(cells in proptest::collection::vec(0_i64..40, 20)) {
            let table: Vec<Vec<i64>> = cells.chunks(5).map(<[i64]>::to_vec).collect();
            if let Shown::Cells(cells) = protect(&table) {
                for (i, row) in table.iter().enumerate() {
                    for (j, &n) in row.iter().enumerate() {
                        match cells[i][j] {
                            Some(shown) => prop_assert!(shown == n && n >= SMALLEST_CELL),
                            None => {
                                let range = play(&table, &cells, (i, j), true) + play(&table, &cells, (i, j), false);
                                prop_assert!(range >= SMALLEST_CELL, "{table:?} {cells:?} {i} {j}: {range}");
                            }
                        }
                    }
                }
            }
        }
    }
}
