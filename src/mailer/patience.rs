//! How often a mail may hit a failure that is not its own fault before the failure counts against it.
//!
//! - A relay that closes the session (421) after it was given the message. Such a reply is about the relay and costs
//!   the mail no attempt. But some servers say it of a message that upsets them: a mail that meets it repeatedly is
//!   deferred like any other, or it would block the relay for all the others for as long as it is retried.
//! - A panic of this program: one may be gone the next time, but a mail that meets it again and again is failed.
//!
//! The counts live in the memory of this process. If they are lost, the mail only gets a few more tries.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::types::{IssueId, OutboxId, ReaderId};

/// How often a relay may send a mail away at no cost; the next time counts as an attempt.
const SENT_AWAY: u8 = 3;
/// How many panics are tolerated; the next one fails the mail.
const FAULTS: u8 = 2;
/// How many mails are remembered.
const KEPT: usize = 10_000;

/// The text of an attempt that ended in a panic.
pub(super) const FAULT: &str = "internal error: a bug in Canvass, recorded in its log";

/// One mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Which {
    /// A mail of an issue.
    Issue(IssueId, ReaderId),
    /// A mail of the outbox.
    Single(OutboxId),
}

/// Counts the failures of each mail.
#[derive(Debug)]
pub(super) struct Patience {
    often: u8,
    times: Mutex<HashMap<Which, u8>>,
}

impl Patience {
    /// For relays that send a mail away.
    pub(super) fn with_relays() -> Self {
        Self::of(SENT_AWAY)
    }

    /// For panics of this program.
    pub(super) fn with_faults() -> Self {
        Self::of(FAULTS)
    }

    fn of(often: u8) -> Self {
        let times = Mutex::default();
        Self { often, times }
    }

    /// Counts a failure and returns whether it is tolerated. If not, the count starts again at zero.
    pub(super) fn again(&self, which: Which) -> bool {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        if times.len() >= KEPT && !times.contains_key(&which) {
            times.clear();
        }
        let n = times.entry(which).or_default();
        *n = n.saturating_add(1);
        if *n <= self.often {
            return true;
        }
        times.remove(&which);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_that_is_always_sent_away_spends_every_fourth_attempt() {
        let unspent = Patience::with_relays();
        let one = Which::Issue(IssueId(1), ReaderId(7));
        let told: Vec<bool> = (0..8).map(|_| unspent.again(one)).collect();
        assert_eq!(told, [true, true, true, false, true, true, true, false]);
        for other in [
            Which::Issue(IssueId(2), ReaderId(7)),
            Which::Issue(IssueId(1), ReaderId(8)),
            Which::Single(OutboxId(7)),
        ] {
            assert!(unspent.again(other), "{other:?} has a count of its own");
        }
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let unspent = Patience::with_relays();
        for id in 0..3 * KEPT as i64 {
            unspent.again(Which::Single(OutboxId(id)));
            assert!(unspent.times.lock().unwrap().len() <= KEPT);
        }
    }
}
