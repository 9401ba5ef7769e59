//! The leases that lanes of this process have in hand, and how long each is good.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::types::BatchId;

#[derive(Clone, Debug, Default)]
pub(super) struct HeldBatches(Arc<Mutex<BTreeMap<i64, Instant>>>);

/// A batch in hand; let go when dropped.
pub(super) struct Held {
    all: HeldBatches,
    batch: BatchId,
}

impl HeldBatches {
    pub(super) fn hold(&self, batch: BatchId, until: Instant) -> Held {
        self.lock().insert(batch.0, until);
        Held {
            all: self.clone(),
            batch,
        }
    }

    pub(super) fn all(&self) -> Vec<BatchId> {
        self.lock().keys().copied().map(BatchId).collect()
    }

    pub(super) fn renewed(&self, batch: BatchId, until: Instant) {
        if let Some(good) = self.lock().get_mut(&batch.0) {
            *good = until;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Whether the lease is still good by this machine's monotonic clock: a process that was stopped for longer than its
    /// lease must not send, whatever it believes.
    pub(super) fn good(&self) -> bool {
        self.all
            .lock()
            .get(&self.batch.0)
            .is_some_and(|until| Instant::now() < *until)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.lock().remove(&self.batch.0);
    }
}
