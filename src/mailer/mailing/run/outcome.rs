//! Records the outcome of each mail, and what is left when the batch ends.

use super::super::lease::{Holding, Work};
use super::super::ledger::{Ending, Row, TakenBack};
use super::super::rest::Rest;
use super::super::states::{DeliveryState, Reason};
use super::Lane;
use super::broken::At;
use crate::{
    config::InDoubt,
    mailer::{
        fate::{Fate, Words},
        patience::Which,
        retry::{Waiting, pause},
    },
    types::{ReaderId, UnixMillis},
};

impl Lane<'_> {
    /// Records the outcome of a mail: its row is written to the ledger with the next commit. A later panic does not
    /// change it.
    pub(super) fn settled(
        &mut self,
        work: &Work,
        state: DeliveryState,
        reason: Reason,
        words: Option<Words>,
    ) -> &mut Row {
        debug_assert!(
            self.pending.iter().all(|row| row.reader != work.reader),
            "a mail has one outcome"
        );
        self.at = At::Nobody;
        let outcome = match state {
            DeliveryState::Sent => "sent",
            DeliveryState::Deferred => "deferred",
            DeliveryState::Failed => "failed",
            DeliveryState::Unknown | DeliveryState::Intent => "unknown",
            DeliveryState::Skipped => "skipped",
        };
        metrics::counter!("canvass_mails_total", "kind" => "issue", "outcome" => outcome)
            .increment(1);
        self.pending.push_mut(Row {
            reader: work.reader,
            was_deferred: work.was_deferred,
            state,
            reason,
            words,
            suppress: None,
        })
    }

    pub(super) fn note(&mut self, holding: &Holding, work: &Work, fate: Fate) {
        match fate {
            Fate::Sent => {
                self.app.mailer.refusals.forget(holding.issue);
                self.settled(work, DeliveryState::Sent, Reason::None, None);
            }
            Fate::Never(reason, words) => {
                if reason == Reason::BadAddress {
                    let address = self.app.keys.address_hash(&work.key).to_vec();
                    let row = self.settled(work, DeliveryState::Failed, reason, Some(words));
                    row.suppress = Some(address);
                } else if work.in_doubt {
                    // This attempt was refused, but an earlier one may have arrived.
                    self.settled(work, DeliveryState::Unknown, Reason::InDoubt, Some(words));
                } else {
                    // A reply about this recipient is counted with its other bounces.
                    let counts = reason == Reason::Refused && words.code != 0;
                    let address = counts.then(|| self.app.keys.address_hash(&work.key).to_vec());
                    let row = self.settled(work, DeliveryState::Failed, reason, Some(words));
                    row.suppress = address;
                }
            }
            Fate::InDoubt(words) if self.app.config.mail.in_doubt == InDoubt::Hold => {
                self.settled(work, DeliveryState::Unknown, Reason::InDoubt, Some(words));
            }
            Fate::InDoubt(words) => self.later(holding, work, words, Waiting::InDoubt),
            Fate::Later(words)
            | Fate::TooLarge(words)
            | Fate::Lost(words)
            | Fate::Closed(words)
            | Fate::ProviderRests(words)
            | Fate::RelayRests(words)
            | Fate::LoginRefused(words) => {
                self.later(holding, work, words, Waiting::Bulk);
            }
        }
    }

    /// Takes back the intent of a mail that was not accepted through no fault of its own: no attempt is spent. `false`:
    /// defer it as usual, because a crash left it in doubt before, or it is sent away again and again.
    pub(super) fn take_back(&mut self, holding: &Holding, work: &Work) -> bool {
        let which = Which::Issue(holding.issue, work.reader);
        if work.crashes > 0 || !self.app.mailer.unspent.again(which) {
            return false;
        }
        self.at = At::Nobody;
        self.back = Some(TakenBack {
            reader: work.reader,
            before: work.before,
        });
        true
    }

    /// Defers a mail, unless it would expire by then. A mail in doubt stays in doubt until it is accepted: the reply to
    /// a later attempt says nothing about the first.
    pub(super) fn later(&mut self, holding: &Holding, work: &Work, words: Words, waiting: Waiting) {
        let wait = pause(waiting, holding.attempt, &self.app.random);
        let too_late = self.app.clock.now() + wait > work.expires;
        let in_doubt = work.in_doubt || waiting == Waiting::InDoubt;
        let (state, reason) = match (too_late, in_doubt) {
            (false, true) => (DeliveryState::Deferred, Reason::InDoubt),
            (false, false) => (DeliveryState::Deferred, Reason::Later),
            (true, true) => (DeliveryState::Unknown, Reason::InDoubt),
            (true, false) => (DeliveryState::Failed, Reason::Expired),
        };
        self.settled(work, state, reason, Some(words));
        match (too_late, waiting) {
            (true, _) => {}
            (false, Waiting::InDoubt) => self.doubtful.push(work.reader),
            (false, _) => self.again.push(work.reader),
        }
    }

    /// The batches for the deferred recipients.
    pub(super) fn retries(&mut self, holding: &Holding, now: UnixMillis) -> Ending {
        let rest = |readers: Vec<ReaderId>, waiting| Rest {
            readers,
            at: now + pause(waiting, holding.attempt, &self.app.random),
            attempt: holding.attempt + 1,
            provider: String::new(),
        };
        let mut rests = vec![
            rest(std::mem::take(&mut self.again), Waiting::Bulk),
            rest(std::mem::take(&mut self.doubtful), Waiting::InDoubt),
        ];
        rests.extend(self.aside.rests(self.app, holding.attempt));
        Ending::Done(rests)
    }
}
