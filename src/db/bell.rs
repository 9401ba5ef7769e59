//! Rung by commits: whoever works on what others write waits for it, and need not look all the time.

use std::sync::Arc;

use tokio::sync::watch;

/// The bell of this process. A commit that asked for it rings, see [`WriteTxn::ring`](super::WriteTxn::ring); other nodes hear nothing.
#[derive(Debug, Clone)]
pub struct Bell(Arc<watch::Sender<u64>>);

impl Default for Bell {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Bell {
    /// What was announced is there to be seen. Commits ring by themselves; this is for what becomes due in another way, as when a test moves the
    /// clock.
    pub fn ring(&self) {
        self.0.send_modify(|rung| *rung += 1);
    }

    /// For whoever waits.
    #[must_use]
    pub fn listen(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    /// How often it has rung.
    #[must_use]
    pub fn rung(&self) -> u64 {
        *self.0.borrow()
    }
}
