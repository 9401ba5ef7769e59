//! Refusals that are about us, counted over all lanes and batches of an issue, so that a wrong message or a host on a
//! block list is noticed after a few mails and not after one batch per lane.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::types::IssueId;

/// How many issues are remembered.
const KEPT: usize = 1_000;

/// By issue, how many mails in a row were refused because of us by every relay that could be tried. Kept in memory.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<BTreeMap<i64, usize>>);

impl Refusals {
    /// Counts one more and returns the count.
    pub(super) fn one_more(&self, issue: IssueId) -> usize {
        let mut counts = self.lock();
        if counts.len() >= KEPT && !counts.contains_key(&issue.0) {
            counts.clear();
        }
        let n = counts.entry(issue.0).or_default();
        *n += 1;
        *n
    }

    /// Resets the count: a mail was accepted, or the issue is paused.
    pub(super) fn forget(&self, issue: IssueId) {
        self.lock().remove(&issue.0);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_counted_by_issue_and_in_a_row() {
        let refusals = Refusals::default();
        let (one, two) = (IssueId(1), IssueId(2));
        assert_eq!((refusals.one_more(one), refusals.one_more(one)), (1, 2));
        assert_eq!(refusals.one_more(two), 1);
        refusals.forget(one);
        assert_eq!((refusals.one_more(one), refusals.one_more(two)), (1, 2));
    }
}
