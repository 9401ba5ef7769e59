//! Compiled editions in memory, so that they are read and parsed once and not at each lease.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::mime::Edition;
use crate::types::IssueId;

/// So many are kept: more issues than that seldom go out at once.
const KEPT: usize = 4;

/// The editions used last.
#[derive(Debug, Default)]
pub(super) struct Editions {
    /// The one used last stands first.
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

    /// Keeps one in place of that which was not used for the longest time.
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
            slots: Slots::new(),
            list: None,
        }))
    }

    /// An old issue that goes on beside newer ones is not read anew at each lease.
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
        // Once more under its own name: nobody else goes.
        editions.keep(IssueId(19), edition());
        assert!(editions.get(IssueId(1)).is_some() && editions.get(IssueId(17)).is_some());
    }
}
