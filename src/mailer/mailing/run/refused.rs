//! The relays refuse us, or this message: the issue pauses itself before that has cost many recipients their mail.

use super::super::control;
use super::super::lease::{Holding, Work};
use super::{Lane, Stop, broken};
use crate::mailer::{fate::Fate, retry::Waiting, transport::Line};

/// The issue pauses itself after so many refusals in a row that are about us, over all its lanes.
const IN_A_ROW: usize = 10;

/// A refusal of every relay that could be tried.
pub(super) struct Refused {
    pub(super) fate: Fate,
    /// There are relays that could not be tried now.
    pub(super) untried: bool,
    /// The intent is on disk.
    pub(super) intended: bool,
}

impl Lane<'_> {
    /// Notes it, and pauses the issue where that was one too many. While there is a relay that rests and was not asked, the mail waits for
    /// that one.
    pub(super) async fn refused(
        &mut self,
        line: &Line,
        holding: &Holding,
        work: &Work,
        refused: Refused,
    ) -> Result<bool, Stop> {
        let Refused {
            fate,
            untried,
            intended,
        } = refused;
        let issue = holding.issue;
        let several = if line.has_others(&[0]) {
            "every relay refuses"
        } else {
            "the relay refuses"
        };
        let stopped = match fate {
            Fate::TooLarge(words) if !untried => {
                let why = format!("too large for the relay: {}", words.text);
                // Nobody was refused: whoever has the batch next begins with this recipient.
                if intended && !self.take_back(holding, work) {
                    self.later(holding, work, words, Waiting::Bulk);
                }
                self.pause(holding, &why).await;
                true
            }
            Fate::TooLarge(words) => {
                self.later(holding, work, words, Waiting::Bulk);
                false
            }
            fate => {
                let codes = match &fate {
                    Fate::Never(_, words) => words.codes(),
                    _ => String::new(),
                };
                if untried && let Fate::Never(_, words) = fate {
                    self.later(holding, work, words, Waiting::Bulk);
                } else {
                    self.note(holding, work, fate);
                }
                broken::breaks(work, "after the outcome");
                let n = self.app.mailer.refusals.one_more(issue);
                if n >= IN_A_ROW || line.all_refuse_us() {
                    let why = format!("{several} our mail ({codes}); see the last replies");
                    self.pause(holding, &why).await;
                    true
                } else {
                    // Another lane, or another node, may have paused it: refusals before the intent do not ask the ledger.
                    !control::is_sending(self.app, issue).await.unwrap_or(true)
                }
            }
        };
        if stopped {
            self.app.mailer.refusals.forget(issue);
            return Err(Stop::Release);
        }
        Ok(false)
    }

    async fn pause(&self, holding: &Holding, why: &str) {
        if let Err(error) = control::pause(self.app, holding.issue, why).await {
            tracing::error!(%error, "an issue that the relay refuses could not be paused");
        }
    }

    /// Whether no more mails of this batch are to be begun.
    pub(super) fn is_over(&self, holding: &Holding) -> bool {
        self.app.stopping.is_cancelled() || holding.is_stale(self.app.clock.now())
    }
}
