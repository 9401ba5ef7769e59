//! The leases that lanes of this process have in hand, and how long each is good.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::types::BatchId;

#[derive(Clone, Debug, Default)]
pub(super) struct HeldBatches(Arc<Mutex<BTreeMap<Lease, Instant>>>);

/// Which lease: batch and fence. A batch that was taken over by another lane of this process is another lease.
type Lease = (i64, i64);

/// A batch in hand; let go when dropped.
pub(super) struct Held {
    all: HeldBatches,
    lease: Lease,
}

impl HeldBatches {
    pub(super) fn hold(&self, batch: BatchId, fence: i64, until: Instant) -> Held {
        let lease = (batch.0, fence);
        self.lock().insert(lease, until);
        Held {
            all: self.clone(),
            lease,
        }
    }

    pub(super) fn all(&self) -> Vec<BatchId> {
        self.lock().keys().map(|lease| BatchId(lease.0)).collect()
    }

    pub(super) fn renewed(&self, batch: BatchId, fence: i64, until: Instant) {
        if let Some(good) = self.lock().get_mut(&(batch.0, fence)) {
            *good = until;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Lease, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Whether the lease is still good by this machine's monotonic clock: a process that was stopped for longer than its
    /// lease must not send, whatever it believes.
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
