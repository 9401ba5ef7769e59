//! What became of the mails of a trial.

use std::fmt;

/// The result according to the server's record and the ledger.
#[derive(Debug, Default)]
pub struct Verdict {
    pub mails: usize,
    pub twice: usize,
    pub unknown: usize,
    pub failed: usize,
    pub skipped: usize,
    /// How many mails the server did not reply to.
    pub kept: usize,
    /// Single mails, and how many came once more.
    pub singles: usize,
    pub singles_twice: usize,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} mails, {} twice, {} unknown, {} failed, {} skipped, {} answers kept by the server; {} single mails, {} twice; 0 lost",
            self.mails,
            self.twice,
            self.unknown,
            self.failed,
            self.skipped,
            self.kept,
            self.singles,
            self.singles_twice
        )
    }
}
