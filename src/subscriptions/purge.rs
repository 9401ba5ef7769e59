//! Deletes what is no longer needed: requests that were never confirmed, and mail counts that no cap needs any more.

use super::http::KEPT_AFTER_EXPIRY;
use super::model::MailCaps;
use super::store::requests;
use crate::app::App;
use crate::db::DbErr;

/// Deletes what is due now, and returns the number of rows.
pub async fn purge(app: &App) -> Result<u64, DbErr> {
    let now = app.clock.now();
    requests::purge(
        &app.db,
        now - KEPT_AFTER_EXPIRY,
        MailCaps::window_start(now),
    )
    .await
}
