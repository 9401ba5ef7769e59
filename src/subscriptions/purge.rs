//! Forgetting what is no longer needed: requests nobody confirmed, and counted mails no cap asks for.

use super::http::KEPT_AFTER_EXPIRY;
use super::model::MailCaps;
use super::store::requests;
use crate::app::App;
use crate::db::DbErr;

/// Does what is due now; gives how many rows went.
pub async fn purge(app: &App) -> Result<u64, DbErr> {
    let now = app.clock.now();
    let txn = app.db.write_txn("purge requests").await?;
    let gone = requests::purge(&txn, now - KEPT_AFTER_EXPIRY, MailCaps::window_start(now)).await?;
    txn.commit().await?;
    Ok(gone)
}
