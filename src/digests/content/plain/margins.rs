//! What stands at the left of lines inside list items and quotations.

use crate::digests::content::wrap::WIDTH;

/// So many levels show in the text part: each repeats its margin in every line, and these leave room for words.
const MARGINS_MAX: usize = 12;

/// The margins of where we are, from the outermost.
#[derive(Default)]
pub(super) struct Margins {
    levels: Vec<Margin>,
    /// How many of them the last line had, too.
    shared: usize,
}

/// What stands at the left of every line inside a list item or a quotation.
struct Margin {
    /// Before the first line, once.
    first: Option<String>,
    /// Before all others.
    rest: String,
}

impl Margins {
    /// A level more: `first` before its first line, once, and `rest` before all others.
    pub(super) fn indent(&mut self, first: Option<String>, rest: String) {
        let shows = self.levels.len() < MARGINS_MAX;
        self.levels.push(Margin {
            first: first.filter(|_| shows),
            rest: if shows { rest } else { String::new() },
        });
    }

    /// Takes the innermost margin away; its mark, if no line has it yet.
    pub(super) fn outdent(&mut self) -> Option<String> {
        let margin = self.levels.pop();
        self.shared = self.shared.min(self.levels.len());
        margin?.first
    }

    /// What comes next stands outside of all of them: no mark waits for a line, and nothing is shared with the last one.
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

    /// What an empty line stands in: the margins that both its neighbours share.
    pub(super) fn shared(&self) -> String {
        let shared = self.levels.iter().take(self.shared);
        shared.map(|margin| margin.rest.as_str()).collect()
    }

    /// A line is written with all of them.
    pub(super) fn reached(&mut self) {
        self.shared = self.levels.len();
    }

    /// What stands before the next line.
    pub(super) fn of_next_line(&mut self) -> String {
        let mut written = String::new();
        for margin in &mut self.levels {
            written.push_str(&margin.first.take().unwrap_or_else(|| margin.rest.clone()));
        }
        written
    }
}
