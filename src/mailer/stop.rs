//! A stop waits for the mails that are being sent, but not for ever.

use std::time::Duration;

use crate::app::App;

/// How long a relay that has a message may take to reply during a stop: well within the 10 s that the whole stop takes.
const GRACE: Duration = Duration::from_secs(7);
const _: () = assert!(GRACE.as_secs() < 10);

/// The note on a mail whose reply the process could not wait for.
pub(super) const UNANSWERED: &str = "stopped before the relay answered";

/// Returns when a mail that is still being sent must be abandoned. It is in doubt then, and the policy for that
/// decides.
pub(super) async fn out_of_time(app: &App) {
    app.stopping.cancelled().await;
    tokio::time::sleep(GRACE).await;
}
