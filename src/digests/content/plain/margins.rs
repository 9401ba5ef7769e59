//! The left margins of lines inside list items and quotations.

use crate::digests::content::wrap::WIDTH;

/// The most levels that are shown: each repeats its margin in every line, and this leaves room for words.
const MARGINS_MAX: usize = 12;

/// The current margins, from the outermost.
#[derive(Default)]
pub(super) struct Margins {
    levels: Vec<Margin>,
    /// How many of them the last line had too.
    shared: usize,
}

/// The left margin inside a list item or a quotation.
struct Margin {
    /// For the first line, once.
    first: Option<String>,
    /// For all other lines.
    rest: String,
}

impl Margins {
    /// Adds a level: `first` goes before its first line, once, and `rest` before all others.
    pub(super) fn indent(&mut self, first: Option<String>, rest: String) {
        let shows = self.levels.len() < MARGINS_MAX;
        self.levels.push(Margin {
            first: first.filter(|_| shows),
            rest: if shows { rest } else { String::new() },
        });
    }

    /// Removes the innermost margin. Returns its marker if no line was written with it.
    pub(super) fn outdent(&mut self) -> Option<String> {
        let margin = self.levels.pop();
        self.shared = self.shared.min(self.levels.len());
        margin?.first
    }

    /// What follows is outside all margins: pending markers are dropped, and no margin is shared with the previous
    /// line.
    pub(super) fn interrupt(&mut self) {
        for margin in &mut self.levels {
            margin.first = None;
        }
        self.shared = 0;
    }

    /// How many columns are left for words.
    pub(super) fn room(&self) -> usize {
        let taken: usize = self
            .levels
            .iter()
            .map(|margin| margin.rest.chars().count())
            .sum();
        WIDTH.saturating_sub(taken).max(24)
    }

    /// The margin of an empty line: the levels that both its neighbours share.
    pub(super) fn shared(&self) -> String {
        let shared = self.levels.iter().take(self.shared);
        shared.map(|margin| margin.rest.as_str()).collect()
    }

    /// Notes that a line was written with all margins.
    pub(super) fn reached(&mut self) {
        self.shared = self.levels.len();
    }

    /// The margin of the next line.
    pub(super) fn of_next_line(&mut self) -> String {
        let mut written = String::new();
        for margin in &mut self.levels {
            written.push_str(&margin.first.take().unwrap_or_else(|| margin.rest.clone()));
        }
        written
    }
}
