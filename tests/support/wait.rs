//! Waiting for what other tasks, processes and machines do: by looking again and again, with a bound, and with a
//! message that says what did not happen.

use std::fmt::Debug;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// Several thousand mails on a busy machine take half of this; only a failing test waits this long.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// How long until the next look. Longer than a query takes, so that looking keeps nothing from happening.
const STEP: Duration = Duration::from_millis(20);

/// A wait that has begun. A loop that looks for something asks it for every further look.
pub struct Waiting {
    what: String,
    limit: Duration,
    since: Instant,
    step: Duration,
}

impl Waiting {
    /// Waits for `what`, for [`PATIENCE`] at most.
    pub fn until(what: &str) -> Self {
        Self::within(PATIENCE, what)
    }

    /// Like [`until`](Self::until), with a bound that is part of what is promised, or of what the test can afford.
    pub fn within(limit: Duration, what: &str) -> Self {
        Self {
            what: what.to_owned(),
            limit,
            since: Instant::now(),
            step: STEP,
        }
    }

    /// With this much time between two looks, where a look disturbs what it looks at.
    pub fn every(self, step: Duration) -> Self {
        Self { step, ..self }
    }

    /// The moment before the next look; panics with what the last one has seen if there is to be none.
    #[track_caller]
    pub fn still(&self, seen: impl Debug) -> Sleep {
        let Self { what, limit, .. } = self;
        assert!(
            self.since.elapsed() < *limit,
            "waited {limit:?} until {what}; still {seen:?}"
        );
        sleep(self.step)
    }
}

/// Waits until the condition holds.
pub async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = Waiting::until(what);
    while !holds().await {
        waiting.still("not").await;
    }
}
