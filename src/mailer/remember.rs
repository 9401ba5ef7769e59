//! A delivery outcome that is lost leaves its mail in doubt. So while the database cannot be written, the outcome is
//! kept in memory and the write is retried.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::app::App;

/// How long an outcome is kept.
const KEPT: Duration = Duration::from_secs(600);
/// How long it is kept once the process is to stop: with the time that a relay gets (`stop`), less than the 10 s that
/// the whole stop takes.
const KEPT_IN_STOP: Duration = Duration::from_secs(2);
/// The pause between attempts to write it.
const AGAIN: Duration = Duration::from_millis(500);

/// The deadline of something that is to be written, set at the first attempt.
pub(super) struct Remembered {
    until: Instant,
    stops: bool,
    has_waited: bool,
}

impl Remembered {
    pub(super) fn begin() -> Self {
        Self {
            until: Instant::now() + KEPT,
            stops: false,
            has_waited: false,
        }
    }

    /// Whether an attempt has failed before: its failure has been logged.
    pub(super) fn has_waited(&self) -> bool {
        self.has_waited
    }

    /// Waits before the next attempt. Returns `false` if there is none, because the deadline has passed.
    pub(super) async fn again(&mut self, app: &App) -> bool {
        let now = Instant::now();
        if !self.stops && app.stopping.is_cancelled() {
            self.stops = true;
            self.until = self.until.min(now + KEPT_IN_STOP);
        }
        if now >= self.until {
            return false;
        }
        self.has_waited = true;
        sleep(AGAIN).await;
        true
    }
}
