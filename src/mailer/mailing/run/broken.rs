//! A fault of this program at one recipient: a panic.
//!
//! What is met there is met again: so the recipient is put off, with the attempt counted, and after [`TRIES`] of them it is over for it. The
//! others of the batch go on meanwhile. Where the intent is on disk, nobody knows whether the mail went.

use std::any::Any;
use std::panic::{AssertUnwindSafe, resume_unwind};

use futures::FutureExt as _;

use super::super::lease::{Holding, Work};
use super::super::ledger::Row;
use super::super::states::{DeliveryState, Reason};
use super::{Lane, Stop};
use crate::{
    config::InDoubt,
    mailer::{fate::Words, retry::Waiting, transport::Line},
    types::ReaderId,
};

/// Attempts after which no other follows.
pub(in crate::mailer) const TRIES: i64 = 3;
/// What stands with the attempt.
pub(in crate::mailer) const WORDS: &str = "internal error; see the log";

/// Whom a lane deals with, and how far it came.
#[derive(Clone, Copy)]
pub(super) struct At {
    reader: ReaderId,
    intended: bool,
}

impl At {
    pub(super) fn before_intent(reader: ReaderId) -> Self {
        Self {
            reader,
            intended: false,
        }
    }

    pub(super) fn after_intent(reader: ReaderId) -> Self {
        Self {
            reader,
            intended: true,
        }
    }
}

impl Lane<'_> {
    /// Works through the batch; a fault at one recipient is that one's outcome.
    pub(super) async fn work_on(
        &mut self,
        line: &mut Line,
        holding: &Holding,
        work: &[Work],
    ) -> Result<(), Stop> {
        let working = AssertUnwindSafe(self.work(line, holding, work));
        let fault = match working.catch_unwind().await {
            Ok(done) => return done,
            Err(fault) => fault,
        };
        // What the relay has heard of is unknown, whoever it was.
        line.abandon();
        let at = self.at.take();
        let met = at.and_then(|at| Some((at, work.iter().find(|work| work.reader == at.reader)?)));
        let Some((at, work)) = met else {
            resume_unwind(fault);
        };
        tracing::error!(
            issue = holding.issue.0,
            reader = at.reader.0,
            attempt = holding.attempt,
            fault = words(&*fault),
            "a fault of this program at one mail"
        );
        self.put_off(holding, work, at.intended);
        Err(Stop::Fault)
    }

    fn put_off(&mut self, holding: &Holding, work: &Work, intended: bool) {
        let words = Words {
            text: WORDS.to_owned(),
            ..Words::default()
        };
        let over = holding.attempt >= TRIES;
        let in_doubt = intended || work.in_doubt;
        let held = intended && self.app.config.mail.in_doubt == InDoubt::Hold;
        if !over && !held {
            let waiting = if intended {
                Waiting::InDoubt
            } else {
                Waiting::Bulk
            };
            return self.later(holding, work, words, waiting);
        }
        let (state, reason, outcome) = match (in_doubt, over) {
            (true, true) => (DeliveryState::Unknown, Reason::Crashed, "unknown"),
            (true, false) => (DeliveryState::Unknown, Reason::InDoubt, "unknown"),
            (false, _) => (DeliveryState::Failed, Reason::Internal, "failed"),
        };
        self.pending.push(Row {
            reader: work.reader,
            was_deferred: work.was_deferred,
            state,
            reason,
            words: Some(words),
            suppress: None,
        });
        metrics::counter!("canvass_mails_total", "kind" => "issue", "outcome" => outcome)
            .increment(1);
    }
}

/// What a panic said.
pub(in crate::mailer) fn words(fault: &(dyn Any + Send)) -> &str {
    let owned = fault.downcast_ref::<String>().map(String::as_str);
    owned
        .or_else(|| fault.downcast_ref::<&str>().copied())
        .unwrap_or("without words")
}

/// Where unit tests have a lane break: at readers of this name.
#[cfg(test)]
pub(super) fn breaks(work: &Work, step: &str) {
    assert_ne!(work.name, step, "broken, as the test wants");
}

#[cfg(not(test))]
pub(super) fn breaks(_: &Work, _: &str) {}
