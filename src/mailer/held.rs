//! The leases that lanes of this process hold, and until when each is valid.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

#[derive(Clone, Debug, Default)]
pub(super) struct HeldLeases(Arc<Mutex<BTreeMap<Lease, Instant>>>);

/// A row's id and its fence. If another lane of this process takes the row over, that is a different lease.
type Lease = (i64, i64);

/// A guard for a leased row: dropping it lets the row go.
pub(super) struct Held {
    all: HeldLeases,
    lease: Lease,
}

impl HeldLeases {
    /// Registers a lease. Call it before the transaction that grants the lease commits: in between, no other lane of
    /// this process may take the row for free.
    pub(super) fn hold(&self, id: i64, fence: i64, until: Instant) -> Held {
        let lease = (id, fence);
        self.lock().insert(lease, until);
        Held {
            all: self.clone(),
            lease,
        }
    }

    /// Whether a lane holds this row.
    pub(super) fn holds(&self, id: i64) -> bool {
        self.lock()
            .range((id, i64::MIN)..=(id, i64::MAX))
            .next()
            .is_some()
    }

    pub(super) fn ids(&self) -> Vec<i64> {
        self.lock().keys().map(|lease| lease.0).collect()
    }

    pub(super) fn leases(&self) -> Vec<Lease> {
        self.lock().keys().copied().collect()
    }

    pub(super) fn renewed(&self, id: i64, fence: i64, until: Instant) {
        if let Some(good) = self.lock().get_mut(&(id, fence)) {
            *good = until;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Lease, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Whether the lease is still valid by this machine's monotonic clock. A process that was suspended for longer than
    /// its lease must not send.
    pub(super) fn good(&self) -> bool {
        self.all
            .lock()
            .get(&self.lease)
            .is_some_and(|until| Instant::now() < *until)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.lock().remove(&self.lease);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_lease_is_good_until_it_runs_out_or_is_renewed() {
        let held = HeldLeases::default();
        let hour = Duration::from_secs(3_600);
        let lease = held.hold(7, 1, Instant::now() + hour);
        assert!(lease.good() && held.holds(7) && !held.holds(8));
        held.renewed(7, 1, Instant::now());
        assert!(!lease.good(), "it ran out");
        held.renewed(7, 2, Instant::now() + hour);
        assert!(!lease.good(), "another fence is another lease");
        held.renewed(7, 1, Instant::now() + hour);
        assert!(lease.good());
        drop(lease);
        assert!(!held.holds(7));
    }
}
