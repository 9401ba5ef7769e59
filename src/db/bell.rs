//! A wake-up signal that commits send, so that tasks that process new rows need not poll all the time.

use std::sync::Arc;

use tokio::sync::watch;

/// The bell of this process. A commit that asked for it rings it, see [`WriteTxn::ring`](super::WriteTxn::ring).
/// Other nodes do not hear it.
#[derive(Debug, Clone)]
pub struct Bell(Arc<watch::Sender<u64>>);

impl Default for Bell {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Bell {
    /// Rings the bell. Commits do so themselves; this is for work that becomes due in another way, as when a test
    /// moves the clock.
    pub fn ring(&self) {
        self.0.send_modify(|rung| *rung += 1);
    }

    /// A receiver for a task that waits.
    #[must_use]
    pub fn listen(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    /// How often the bell has rung.
    #[must_use]
    pub fn rung(&self) -> u64 {
        *self.0.borrow()
    }
}
