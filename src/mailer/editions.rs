//! A cache of compiled editions, so that they are not read and parsed again for each lease.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::mime::Edition;
use crate::types::IssueId;

/// How many editions are kept: more issues than that are seldom sent at once.
const KEPT: usize = 4;

/// The most recently used editions.
#[derive(Debug, Default)]
pub(super) struct Editions {
    /// Most recently used first.
    kept: Mutex<VecDeque<(IssueId, Arc<Edition>)>>,
}

impl Editions {
    pub(super) fn get(&self, issue: IssueId) -> Option<Arc<Edition>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(known, _)| *known == issue)?;
        let found = kept.remove(at)?;
        let edition = found.1.clone();
        kept.push_front(found);
        Some(edition)
    }

    /// Adds an edition and drops the least recently used one if there are too many.
    pub(super) fn keep(&self, issue: IssueId, edition: Arc<Edition>) -> Arc<Edition> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Two lanes may have read it at the same time.
        kept.retain(|(known, _)| *known != issue);
        kept.push_front((issue, edition.clone()));
        kept.truncate(KEPT);
        edition
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mailer::mime::{Draft, Mailbox, Slots};
    use crate::types::EmailAddress;

    fn edition() -> Arc<Edition> {
        Arc::new(Edition::compile(Draft {
            from: Mailbox {
                name: "N".into(),
                address: EmailAddress::parse("news@example.org").expect("an address"),
            },
            reply_to: None,
            subject: "F".into(),
            text: "F\n".into(),
            html: "<p>F</p>\n".into(),
            slots: Slots::new([7; 16]),
            list: None,
        }))
    }

    /// An old issue that is sent beside newer ones stays in the cache.
    #[test]
    fn what_is_used_stays() {
        let (editions, old) = (Editions::default(), edition());
        editions.keep(IssueId(1), old.clone());
        for newer in 2..20 {
            editions.keep(IssueId(newer), edition());
            let kept = editions.get(IssueId(1)).expect("it is used");
            assert!(Arc::ptr_eq(&kept, &old));
        }
        assert!(editions.get(IssueId(19)).is_some() && editions.get(IssueId(2)).is_none());
        // An edition that is kept already evicts no other.
        editions.keep(IssueId(19), edition());
        assert!(editions.get(IssueId(1)).is_some() && editions.get(IssueId(17)).is_some());
    }
}
