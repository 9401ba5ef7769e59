//! The report of an import: one CSV row for each row of the file that did not become a subscription. It contains lines
//! and reasons but no addresses, so that it can be passed on.

use std::fs::File;
use std::path::Path;

use super::rows::BadRow;
use super::run::Stopped;
use super::store::Fate;

pub(super) struct Report {
    to: Option<(csv::Writer<File>, String)>,
}

impl Report {
    pub fn open(path: Option<&Path>) -> Result<Self, Stopped> {
        let Some(path) = path else {
            return Ok(Self { to: None });
        };
        let name = path.display().to_string();
        let file = File::create(path).map_err(|e| Stopped::Report(name.clone(), e))?;
        let mut report = Self {
            to: Some((csv::Writer::from_writer(file), name)),
        };
        report.row("line", "outcome", "reason")?;
        Ok(report)
    }

    /// Reports ignored columns.
    pub fn ignored(&mut self, columns: &[String]) -> Result<(), Stopped> {
        if columns.is_empty() {
            return Ok(());
        }
        self.row("1", "ignored columns", &columns.join(", "))
    }

    pub fn bad(&mut self, row: &BadRow) -> Result<(), Stopped> {
        self.row(&row.line.to_string(), "bad", &row.reason.to_string())
    }

    pub fn fate(&mut self, line: u64, fate: Fate) -> Result<(), Stopped> {
        let (outcome, reason) = match fate {
            Fate::Subscribed => return Ok(()),
            Fate::AlreadyThere => ("already there", "already subscribed, or in the file twice"),
            Fate::LeftBefore => (
                "kept out",
                "had left, bounced or complained; only the reader can come back",
            ),
            Fate::Suppressed => ("kept out", "the address is suppressed"),
            Fate::Gone(gone) => ("kept out", gone.words()),
            Fate::StaysHere => (
                "already there",
                "remains subscribed here, although the file says otherwise",
            ),
        };
        self.row(&line.to_string(), outcome, reason)
    }

    pub fn close(self) -> Result<(), Stopped> {
        match self.to {
            Some((mut writer, name)) => writer.flush().map_err(|e| Stopped::Report(name, e)),
            None => Ok(()),
        }
    }

    fn row(&mut self, line: &str, outcome: &str, reason: &str) -> Result<(), Stopped> {
        let Some((writer, name)) = &mut self.to else {
            return Ok(());
        };
        writer
            .write_record([line, outcome, reason])
            .map_err(|e| Stopped::Report(name.clone(), e.into()))
    }
}
