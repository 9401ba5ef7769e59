//! Deletes old reports.

use std::time::Duration;

use super::store;
use crate::app::App;
use crate::db::DbErr;

/// How long reports are kept: a second "no such domain" counts together with one of up to about a year before.
const KEPT: Duration = Duration::from_secs(400 * 24 * 3_600);

/// Deletes reports that no longer count, and returns their number. Their consequences stay: subscriptions stay ended,
/// addresses suppressed.
pub async fn purge(app: &App) -> Result<u64, DbErr> {
    store::forget(&app.db, app.clock.now() - KEPT).await
}
