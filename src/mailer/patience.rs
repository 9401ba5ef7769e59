//! How often what befell a mail costs it nothing.
//!
//! - A relay that sent it away together with everything else, after it had been given the message. Such an answer (421) is about the relay,
//!   and costs the mail no attempt. But some servers say it of a message that upsets them: a mail that meets it time and again is put off
//!   like any other, or it would stop the relay for all the others for as long as it lives.
//! - A fault of this program, a panic: what was met once may be gone the next time; what is met again and again ends that mail.
//!
//! The count is this process's own and is forgotten with it; that costs one more try.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::types::{IssueId, OutboxId, ReaderId};

/// So often a mail is sent away for nothing; after that it is the mail.
const SENT_AWAY: u8 = 3;
/// So many faults are put up with; the next is the end.
const FAULTS: u8 = 2;
/// Mails that are remembered.
const KEPT: usize = 10_000;

/// What an attempt says that a fault ended.
pub(super) const FAULT: &str = "internal error: a fault of Canvass, written down in its log";

/// One mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Which {
    /// An issue's.
    Issue(IssueId, ReaderId),
    /// One of the outbox.
    Single(OutboxId),
}

/// How often it befell which mail.
#[derive(Debug)]
pub(super) struct Patience {
    often: u8,
    times: Mutex<HashMap<Which, u8>>,
}

impl Patience {
    /// With mails that are sent away.
    pub(super) fn with_relays() -> Self {
        Self::of(SENT_AWAY)
    }

    /// With ourselves.
    pub(super) fn with_faults() -> Self {
        Self::of(FAULTS)
    }

    fn of(often: u8) -> Self {
        let times = Mutex::default();
        Self { often, times }
    }

    /// Counts it; returns whether it is put up with once more. Where not, the count begins anew.
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
