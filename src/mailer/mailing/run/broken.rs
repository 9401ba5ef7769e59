//! A fault of this program at one recipient: a panic.
//!
//! What is met there may be met again: so the recipient is put off, with the attempt counted, and at the third fault it is over for it. The
//! others of the batch go on meanwhile. Where the intent is on disk, nobody knows whether the mail went. What was noted before it broke
//! stands.

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures::FutureExt as _;

use super::super::lease::{Holding, Work};
use super::super::states::{DeliveryState, Reason};
use super::{Lane, Stop};
use crate::{
    config::InDoubt,
    mailer::{
        fate::Words,
        patience::{FAULT, Which},
        retry::Waiting,
        transport::Line,
    },
    types::ReaderId,
};

/// What a lane deals with, and how far it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// No recipient: what became of the last one is noted.
    Nobody,
    BeforeIntent(ReaderId),
    AfterIntent(ReaderId),
    /// The ledger: what others were told is on its way there.
    Ledger,
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
        let (reader, intended) = match std::mem::replace(&mut self.at, At::Nobody) {
            At::BeforeIntent(reader) => (Some(reader), false),
            At::AfterIntent(reader) => (Some(reader), true),
            At::Nobody => (None, false),
            // What was to be written is lost: the whole lane ends, and the ledger says what is in doubt.
            At::Ledger => resume_unwind(fault),
        };
        // Not what it says, which may be a reader's: the panic hook has logged the place.
        tracing::error!(
            issue = holding.issue.0,
            reader = reader.map(|reader| reader.0),
            attempt = holding.attempt,
            "a fault of this program at one mail"
        );
        if let Some(work) = work.iter().find(|work| Some(work.reader) == reader) {
            self.put_off(holding, work, intended);
        }
        Err(Stop::Trouble)
    }

    fn put_off(&mut self, holding: &Holding, work: &Work, intended: bool) {
        let words = Words {
            text: FAULT.to_owned(),
            ..Words::default()
        };
        let which = Which::Issue(holding.issue, work.reader);
        let over = !self.app.mailer.faults.again(which);
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
        let (state, reason) = match (in_doubt, over) {
            (true, true) => (DeliveryState::Unknown, Reason::Crashed),
            (true, false) => (DeliveryState::Unknown, Reason::InDoubt),
            (false, _) => (DeliveryState::Failed, Reason::Internal),
        };
        self.settled(work, state, reason, Some(words));
    }
}

/// Where unit tests have a lane break: at readers of this name.
#[cfg(test)]
pub(super) fn breaks(work: &Work, step: &str) {
    assert_ne!(work.name, step, "broken, as the test wants");
}

#[cfg(not(test))]
pub(super) fn breaks(_: &Work, _: &str) {}
