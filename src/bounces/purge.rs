//! Forgetting what came back long ago.

use std::time::Duration;

use super::store;
use crate::app::App;
use crate::db::DbErr;

/// So long what was said of a mail is kept: a second "no such domain" counts with a first one of the same year or so.
const KEPT: Duration = Duration::from_secs(400 * 24 * 3_600);

/// Removes reports that nothing follows from any more; gives how many. What they led to stays: subscriptions stay ended, addresses
/// suppressed.
pub async fn purge(app: &App) -> Result<u64, DbErr> {
    let txn = app.db.write_txn("purge bounces").await?;
    let gone = store::forget(&txn, app.clock.now() - KEPT).await?;
    txn.commit().await?;
    Ok(gone)
}
