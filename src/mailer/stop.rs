//! A stop waits for the mails that are on the wire, but not for ever.

use std::time::Duration;

use crate::app::App;

/// How long a relay that has a message may take to answer once the process is to stop: well inside the 10 s in which all of it ends.
const GRACE: Duration = Duration::from_secs(7);

/// What is noted of a mail whose answer the process could not wait for.
pub(super) const UNANSWERED: &str = "stopped before the relay answered";

/// Returns when a mail that is on the wire is to be given up: it is in doubt then, and the policy decides.
pub(super) async fn out_of_time(app: &App) {
    app.stopping.cancelled().await;
    tokio::time::sleep(GRACE).await;
}
