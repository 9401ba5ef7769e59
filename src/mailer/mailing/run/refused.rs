//! If the relays refuse us or this message, the issue pauses itself before many recipients have lost their mail.

use super::super::control;
use super::super::lease::{Holding, Work};
use super::{Lane, Stop, broken};
use crate::mailer::{fate::Fate, retry::Waiting, transport::Line};

/// The number of consecutive refusals about us, over all lanes, after which the issue pauses itself.
const IN_A_ROW: usize = 10;

/// A refusal of every relay that could be tried.
pub(super) struct Refused {
    pub(super) fate: Fate,
    /// Some relays could not be tried now.
    pub(super) untried: bool,
    /// The intent is on disk.
    pub(super) intended: bool,
}

impl Lane<'_> {
    /// Records the refusal, and pauses the issue after too many. If a relay is paused and could not be tried, the mail
    /// is deferred to wait for it.
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
                // The recipient was not refused: the next lane that gets the batch begins with it.
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
                    // Another lane or node may have paused it, and a refusal before the intent does not go through the
                    // ledger.
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
            tracing::error!(issue = holding.issue.0, why, %error, "an issue that the relays refuse could not be paused");
        }
    }

    /// Whether this lane must not begin another mail of this batch.
    pub(super) fn is_over(&self, holding: &Holding) -> bool {
        self.app.stopping.is_cancelled() || holding.is_stale(self.app.clock.now())
    }
}
