//! Decides whether a recipient of a batch still gets the mail, from the ledger, the reader's present state and the
//! clock. Pure.

use std::time::Duration;

use crate::{
    config::InDoubt,
    mailer::mailing::ledger::Deferred,
    mailer::mailing::states::{DeliveryState, Reason},
    types::{SubscriptionState, UnixMillis},
};

/// After this many crashes on one recipient, the recipient is given up.
const CRASHES: i16 = 3;

/// The ledger's entry of a recipient.
#[derive(Clone, Copy, Debug)]
pub(in crate::mailer::mailing) struct InLedger {
    pub(in crate::mailer::mailing) state: DeliveryState,
    /// The code of a [`Reason`]; in an intent, the number of crashes before it.
    pub(super) reason: i16,
    pub(in crate::mailer::mailing) attempt: i64,
    pub(super) code: i16,
    pub(super) at: UnixMillis,
}

impl InLedger {
    /// Why it is unknown whether an earlier mail has arrived, if it is.
    pub(in crate::mailer::mailing) fn doubt(self) -> Option<Reason> {
        match self.state {
            DeliveryState::Intent => Some(Reason::Interrupted),
            DeliveryState::Deferred => {
                Some(Reason::of(self.reason)).filter(|reason| *reason == Reason::InDoubt)
            }
            _ => None,
        }
    }

    /// Whether the tally counts it as deferred, which includes the intent of a later attempt.
    pub(in crate::mailer::mailing) fn was_deferred(self) -> bool {
        self.attempt > 1 || self.state == DeliveryState::Deferred
    }

    pub(super) fn deferred(self) -> Option<Deferred> {
        (self.state == DeliveryState::Deferred).then_some(Deferred {
            attempt: self.attempt,
            reason: self.reason,
            code: self.code,
        })
    }
}

/// The state of a reader now, which may differ from when the audience was frozen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub(super) erased: bool,
    pub(super) suppressed: bool,
    /// `None` if there is no subscription, or its state is a code that no version of Canvass wrote.
    pub(super) subscription: Option<SubscriptionState>,
}

impl Standing {
    /// Why the reader must not be mailed, if that is the case.
    fn obstacle(self) -> Option<Reason> {
        if self.erased {
            return Some(Reason::Erased);
        }
        if self.suppressed {
            return Some(Reason::Suppressed);
        }
        match self.subscription {
            Some(SubscriptionState::Active) => None,
            Some(SubscriptionState::Removed) => Some(Reason::Removed),
            Some(SubscriptionState::Bounced) => Some(Reason::Bounced),
            Some(SubscriptionState::Complained) => Some(Reason::Complained),
            Some(SubscriptionState::Left) | None => Some(Reason::Left),
        }
    }
}

/// What to do with a recipient of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// Send the mail.
    Send {
        /// If a retry would come after this time, the mail is given up.
        expires: UnixMillis,
        /// How many processes have crashed on this recipient.
        crashes: i16,
    },
    /// Do not send; the ledger records why.
    Settle(DeliveryState, Reason),
    /// It was already deferred in this attempt, before a crash or a pause, and goes into the retry batch.
    Deferred,
    /// It has its outcome, or belongs to another batch.
    NotOurs,
}

/// The inputs that are the same for all recipients of a batch.
pub(super) struct Rules {
    /// The attempt number of the batch.
    pub(super) attempt: i64,
    /// When the issue itself expires.
    pub(super) expires: UnixMillis,
    /// How long a mail is retried, counted from its first attempt.
    pub(super) retries: Duration,
    pub(super) in_doubt: InDoubt,
    pub(super) now: UnixMillis,
}

impl Rules {
    /// Decides about one recipient. `begun`: the time of the first attempt to which a server replied; `standing`:
    /// `None` if the reader's row no longer exists.
    pub(super) fn decide(
        &self,
        entry: Option<InLedger>,
        begun: Option<UnixMillis>,
        standing: Option<Standing>,
    ) -> Decision {
        let mut crashes = 0;
        if let Some(entry) = entry {
            match entry.state {
                // An editor ordered it to be sent again while this batch was open: another batch is responsible for it
                // now.
                _ if entry.attempt > self.attempt => return Decision::NotOurs,
                DeliveryState::Sent
                | DeliveryState::Failed
                | DeliveryState::Unknown
                | DeliveryState::Skipped => return Decision::NotOurs,
                DeliveryState::Deferred if entry.attempt < self.attempt => {}
                DeliveryState::Deferred => return Decision::Deferred,
                // The process ended between the intent and its outcome: the mail is in doubt.
                DeliveryState::Intent => {
                    crashes = entry.reason + 1;
                    if self.in_doubt == InDoubt::Hold {
                        return Decision::Settle(DeliveryState::Unknown, Reason::Interrupted);
                    }
                    if crashes >= CRASHES {
                        return Decision::Settle(DeliveryState::Unknown, Reason::Crashed);
                    }
                }
            }
        }
        let begun = entry.map_or(self.now, |entry| begun.unwrap_or(entry.at));
        let expires = self.expires.max(begun + self.retries);
        let given_up = match standing {
            None => Some((DeliveryState::Skipped, Reason::Erased)),
            Some(standing) => standing
                .obstacle()
                .map(|reason| (DeliveryState::Skipped, reason)),
        };
        // A recipient that was never attempted is attempted, however late: a daily limit, a pause or a restored backup
        // may have taken long.
        let too_late = (entry.is_some() && self.now > expires)
            .then_some((DeliveryState::Failed, Reason::Expired));
        match given_up.or(too_late) {
            None => Decision::Send { expires, crashes },
            // It is not mailed again, but it may have the mail: so it is unknown, not a failure, and no order may
            // repeat it as one.
            Some((state, reason)) => match entry.and_then(InLedger::doubt) {
                Some(doubt) => Decision::Settle(DeliveryState::Unknown, doubt),
                None => Decision::Settle(state, reason),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Decision::{Deferred, NotOurs, Settle};
    use super::*;
    use DeliveryState::{Failed, Intent, Sent, Skipped, Unknown};

    const NOW: UnixMillis = UnixMillis(1_000_000);
    /// When an entry was written, and how long its mail is retried after that.
    const WRITTEN: UnixMillis = UnixMillis(900_000);
    const RETRIES: Duration = Duration::from_millis(300_000);

    /// A batch of the second attempt that is not late.
    const RULES: Rules = Rules {
        attempt: 2,
        expires: UnixMillis(1_100_000),
        retries: RETRIES,
        in_doubt: InDoubt::Resend,
        now: NOW,
    };
    const READS: Standing = Standing {
        erased: false,
        suppressed: false,
        subscription: Some(SubscriptionState::Active),
    };

    fn entry(state: DeliveryState, attempt: i64, reason: i16) -> Option<InLedger> {
        Some(InLedger {
            state,
            reason,
            attempt,
            code: 0,
            at: WRITTEN,
        })
    }

    fn send(expires: i64, crashes: i16) -> Decision {
        Decision::Send {
            expires: UnixMillis(expires),
            crashes,
        }
    }

    #[test]
    fn the_ledger_decides_first() {
        let later = Reason::Later.code();
        let deferred = |attempt| entry(DeliveryState::Deferred, attempt, later);
        for (entry, decision) in [
            (None, send(1_300_000, 0)),
            (deferred(1), send(1_200_000, 0)),
            (deferred(2), Deferred),
            (deferred(3), NotOurs),
            (entry(Intent, 2, 0), send(1_200_000, 1)),
            (entry(Intent, 2, 1), send(1_200_000, 2)),
            (entry(Intent, 2, 2), Settle(Unknown, Reason::Crashed)),
            (entry(Intent, 3, 0), NotOurs),
            (entry(Sent, 2, 0), NotOurs),
            (entry(Failed, 1, Reason::Refused.code()), NotOurs),
            (entry(Unknown, 1, Reason::InDoubt.code()), NotOurs),
            (entry(Skipped, 2, Reason::Left.code()), NotOurs),
        ] {
            assert_eq!(
                RULES.decide(entry, None, Some(READS)),
                decision,
                "{entry:?}"
            );
        }
    }

    #[test]
    fn what_is_settled_or_lies_elsewhere_stays_so_whatever_the_reader_did_since() {
        let gone = Standing {
            erased: true,
            ..READS
        };
        assert_eq!(RULES.decide(entry(Sent, 2, 0), None, Some(gone)), NotOurs);
        assert_eq!(RULES.decide(entry(Intent, 3, 0), None, None), NotOurs);
        let deferred = entry(DeliveryState::Deferred, 2, Reason::Later.code());
        assert_eq!(RULES.decide(deferred, None, None), Deferred);
    }

    #[test]
    fn a_doubt_is_held_where_a_person_is_to_decide() {
        let hold = Rules {
            in_doubt: InDoubt::Hold,
            ..RULES
        };
        let held = Settle(Unknown, Reason::Interrupted);
        for crashes in [0, 2, 9] {
            let intent = entry(Intent, 2, crashes);
            assert_eq!(hold.decide(intent, None, Some(READS)), held, "{crashes}");
        }
        assert_eq!(hold.decide(None, None, Some(READS)), send(1_300_000, 0));
    }

    #[test]
    fn only_active_subscriptions_are_mailed() {
        let of = |subscription| Standing {
            subscription,
            ..READS
        };
        let suppressed = Standing {
            suppressed: true,
            ..of(Some(SubscriptionState::Complained))
        };
        let erased = Standing {
            erased: true,
            ..suppressed
        };
        for (standing, reason) in [
            (None, Reason::Erased),
            (Some(erased), Reason::Erased),
            (Some(suppressed), Reason::Suppressed),
            (Some(of(None)), Reason::Left),
            (Some(of(Some(SubscriptionState::Left))), Reason::Left),
            (Some(of(Some(SubscriptionState::Removed))), Reason::Removed),
            (Some(of(Some(SubscriptionState::Bounced))), Reason::Bounced),
            (
                Some(of(Some(SubscriptionState::Complained))),
                Reason::Complained,
            ),
        ] {
            let skipped = Settle(Skipped, reason);
            assert_eq!(RULES.decide(None, None, standing), skipped, "{standing:?}");
            let deferred = entry(DeliveryState::Deferred, 1, Reason::Later.code());
            assert_eq!(RULES.decide(deferred, None, standing), skipped);
            // A recipient who may have the mail is not called skipped.
            let intent = entry(Intent, 2, 0);
            let interrupted = Settle(Unknown, Reason::Interrupted);
            assert_eq!(RULES.decide(intent, None, standing), interrupted);
            let in_doubt = Settle(Unknown, Reason::InDoubt);
            let doubtful = entry(DeliveryState::Deferred, 1, Reason::InDoubt.code());
            assert_eq!(RULES.decide(doubtful, None, standing), in_doubt);
        }
    }

    #[test]
    fn retries_end_with_the_issue_or_some_hours_after_the_first_attempt() {
        let deferred = entry(DeliveryState::Deferred, 1, Reason::Later.code());
        let late = Rules {
            expires: UnixMillis(0),
            ..RULES
        };
        let expired = Settle(Failed, Reason::Expired);
        let began = |at| Some(UnixMillis(at));
        // Exact to the millisecond: retries that began 300 s ago end one millisecond later.
        for (begun, decision) in [
            (None, send(1_200_000, 0)),
            (began(700_000), send(1_000_000, 0)),
            (began(699_999), expired),
        ] {
            assert_eq!(late.decide(deferred, begun, Some(READS)), decision);
        }
        let issue_goes_on = RULES.decide(deferred, began(1), Some(READS));
        assert_eq!(issue_goes_on, send(1_100_000, 0));
        // A recipient who was never attempted is never too late.
        assert_eq!(late.decide(None, None, Some(READS)), send(1_300_000, 0));
        let intent = late.decide(entry(Intent, 2, 0), began(1), Some(READS));
        assert_eq!(intent, Settle(Unknown, Reason::Interrupted));
        let left = Standing {
            subscription: Some(SubscriptionState::Left),
            ..READS
        };
        let left_and_late = late.decide(deferred, began(1), Some(left));
        assert_eq!(left_and_late, Settle(Skipped, Reason::Left));
    }
}
