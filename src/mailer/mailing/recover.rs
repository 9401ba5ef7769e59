//! After a start: who held what before is gone.

use crate::{
    app::App,
    db::{self, Backend, DbErr},
};

/// On SQLite the lock of the data directory proves that nobody else works: all leases end at once. On PostgreSQL other
/// nodes may hold theirs; what a dead one left is free when its lease has run out.
///
/// # Errors
/// What the database said.
pub(in crate::mailer) async fn release_all(app: &App) -> Result<(), DbErr> {
    if app.db.backend() == Backend::Postgres {
        return Ok(());
    }
    let txn = app.db.write_txn("recover").await?;
    for table in ["mail_batch WHERE state = 1", "outbox WHERE state IN (0, 1)"] {
        let (name, filter) = table.split_once(" WHERE ").unwrap_or((table, "1 = 1"));
        let sql =
            format!("UPDATE {name} SET lease_until_ms = 0 WHERE {filter} AND lease_until_ms <> 0");
        db::run(&*txn, sql, []).await?;
    }
    txn.commit().await
}
