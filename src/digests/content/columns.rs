//! Tables in the text part.

use super::wrap::{fill, width};

/// Renders a table side by side if its columns fit into `room` characters, otherwise one wrapped line per row.
pub(super) fn lines(rows: Vec<Vec<String>>, room: usize) -> Vec<String> {
    let rows: Vec<Vec<String>> = rows.into_iter().filter(|row| !row.is_empty()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|at| {
            let cells = rows.iter().filter_map(|row| row.get(at));
            cells.map(|cell| width(cell)).max().unwrap_or(0)
        })
        .collect();
    let fits = widths.iter().sum::<usize>() + 3 * columns.saturating_sub(1) <= room;
    let mut lines = Vec::new();
    for row in &rows {
        if !fits {
            lines.extend(fill(&row.join(" | "), room));
            continue;
        }
        let cells = row.iter().zip(&widths);
        let cells = cells
            .map(|(cell, &full)| format!("{cell}{}", " ".repeat(full.saturating_sub(width(cell)))));
        lines.push(cells.collect::<Vec<_>>().join("   "));
    }
    lines
}
