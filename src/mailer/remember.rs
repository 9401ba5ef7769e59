//! An outcome that is forgotten is a mail in doubt: while the database cannot be written it is kept, and tried again.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::app::App;

/// So long an outcome is kept.
const KEPT: Duration = Duration::from_secs(600);
/// Between tries to write it.
const AGAIN: Duration = Duration::from_millis(500);

/// Something that is to be written, from the first try on.
pub(super) struct Remembered {
    until: Instant,
}

impl Remembered {
    pub(super) fn begin() -> Self {
        Self {
            until: Instant::now() + KEPT,
        }
    }

    /// After a try that failed: waits for the next. `false`: there is none, since the process stops or it took too long.
    pub(super) async fn again(&self, app: &App) -> bool {
        if app.stopping.is_cancelled() || Instant::now() >= self.until {
            return false;
        }
        sleep(AGAIN).await;
        true
    }
}
