//! A delivery outcome that is lost leaves its mail in doubt. So while the database cannot be written, the outcome is
//! kept in memory and the write is retried.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::app::App;

/// How long an outcome is kept.
const KEPT: Duration = Duration::from_secs(600);
/// The pause between attempts to write it.
const AGAIN: Duration = Duration::from_millis(500);

/// The deadline of something that is to be written, set at the first attempt.
pub(super) struct Remembered {
    until: Instant,
}

impl Remembered {
    pub(super) fn begin() -> Self {
        Self {
            until: Instant::now() + KEPT,
        }
    }

    /// Waits before the next attempt. Returns `false` if there is none: the process stops, or the deadline has passed.
    pub(super) async fn again(&self, app: &App) -> bool {
        if app.stopping.is_cancelled() || Instant::now() >= self.until {
            return false;
        }
        sleep(AGAIN).await;
        true
    }
}
