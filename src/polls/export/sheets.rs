//! The export as files for spreadsheets: no cell starts a formula, and a byte order mark marks the
//! file as UTF-8 for Excel.

use super::dictionary::DICTIONARY;
use super::document::Document;
use super::lines::Line;
use crate::web::sheets::defused;

/// One of the files.
pub struct File {
    pub name: &'static str,
    /// A short description of its content.
    pub label: &'static str,
    /// Its lines, without the header.
    lines: fn(&Document) -> Vec<Vec<String>>,
}

/// The files, as the page lists them.
pub const FILES: [File; 12] = [
    File {
        name: "results.csv",
        label: "Answers by option and tier, small numbers hidden",
        lines: |document| cells(&document.results),
    },
    File {
        name: "voters.csv",
        label: "Readers by tier",
        lines: |document| cells(&document.voters),
    },
    File {
        name: "turnout.csv",
        label: "First answers by the hour",
        lines: |document| cells(&document.turnout),
    },
    File {
        name: "places.csv",
        label: "Views and answers by place",
        lines: |document| cells(&document.places),
    },
    File {
        name: "steps.csv",
        label: "From view to subscription",
        lines: |document| cells(&document.steps),
    },
    File {
        name: "refusals.csv",
        label: "Answers that were not counted, and why",
        lines: |document| cells(&document.refusals),
    },
    File {
        name: "tables.csv",
        label: "Two questions side by side, small cells hidden",
        lines: |document| cells(&document.tables),
    },
    File {
        name: "ranks.csv",
        label: "Rankings: options by rank",
        lines: |document| cells(&document.ranks),
    },
    File {
        name: "rounds.csv",
        label: "Rankings: the run-off, round by round",
        lines: |document| cells(&document.rounds),
    },
    File {
        name: "sample.csv",
        label: "Estimates of a random sample, with their ranges",
        lines: |document| cells(&document.sample),
    },
    File {
        name: "draw.csv",
        label: "How the sample was drawn, and the response rate",
        lines: |document| cells(&document.draw),
    },
    File {
        name: "dictionary.csv",
        label: "What every field means",
        lines: |_| cells(DICTIONARY),
    },
];

fn cells<L: Line>(rows: &[L]) -> Vec<Vec<String>> {
    rows.iter().map(Line::cells).collect()
}

impl File {
    /// The names of its columns in the dictionary, in order. The dictionary does not describe itself.
    pub(super) fn heading(&self) -> Vec<&'static str> {
        match self.name.strip_suffix(".csv") {
            Some("dictionary") => vec!["file", "field", "type", "meaning"],
            list => DICTIONARY
                .iter()
                .filter(|entry| Some(entry.file) == list)
                .map(|entry| entry.field)
                .collect(),
        }
    }
}

/// The file with this name; `None` if there is none.
pub fn file(document: &Document, name: &str) -> Option<Vec<u8>> {
    let file = FILES.iter().find(|file| file.name == name)?;
    let mut writer = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
    // Writing into memory cannot fail.
    let _ = writer.write_record(file.heading());
    for line in (file.lines)(document) {
        let _ = writer.write_record(line.into_iter().map(defused));
    }
    writer.into_inner().ok()
}
