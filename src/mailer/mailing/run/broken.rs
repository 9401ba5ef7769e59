//! A panic of this program at one recipient.
//!
//! It may happen again, so the recipient is deferred, with the attempt counted, and given up at the third panic. The
//! rest of the batch goes on meanwhile. If the intent is on disk, the mail is in doubt. Outcomes that were recorded
//! before the panic stand.

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

/// What a lane is working on, and how far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// No recipient: the outcome of the last one is recorded.
    Nobody,
    BeforeIntent(ReaderId),
    AfterIntent(ReaderId),
    /// The ledger: the outcomes of earlier mails are being written.
    Ledger,
}

impl Lane<'_> {
    /// Works through the batch. A panic at a recipient becomes that recipient's outcome.
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
        // It is unknown where the conversation with the relay stopped.
        line.abandon();
        let (reader, intended) = match std::mem::replace(&mut self.at, At::Nobody) {
            At::BeforeIntent(reader) => (Some(reader), false),
            At::AfterIntent(reader) => (Some(reader), true),
            At::Nobody => (None, false),
            // The outcomes to be written are lost: end the whole lane; their mails are in doubt by their intents.
            At::Ledger => resume_unwind(fault),
        };
        // The panic message may contain a reader's data and is not logged; the panic hook has logged the location.
        tracing::error!(
            issue = holding.issue.0,
            reader = reader.map(|reader| reader.0),
            attempt = holding.attempt,
            "a bug in this program affected a mail"
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

/// Panics in unit tests, at readers with this name.
#[cfg(test)]
pub(super) fn breaks(work: &Work, step: &str) {
    assert_ne!(work.name, step, "broken, as the test wants");
}

#[cfg(not(test))]
pub(super) fn breaks(_: &Work, _: &str) {}
