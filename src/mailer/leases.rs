//! Who may work on a row, by the right clock.
//!
//! PostgreSQL: several nodes, each with a clock of its own, so leases are granted, compared and renewed by the database's
//! clock alone. SQLite: one process owns the file, so whatever it does not have in hand is free at once, and what it has in
//! hand is never taken again, whatever the wall clock does. On PostgreSQL the holder measures its lease with its machine's
//! monotonic clock and sends nothing once it has run out. Due times (`not_before_ms`) are of the wall clock.

use std::time::Duration;

use sea_orm::Value;
use tokio::time::{Instant, timeout};

use super::held::HeldLeases;
use crate::{
    app::App,
    db::{self, Backend, DbErr},
};

/// The database's time in Unix milliseconds.
const DATABASE_NOW: &str = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
/// A renewal that takes longer is given up and begun anew: it must never be what lets a lease run out.
const RENEWAL: Duration = Duration::from_secs(10);

/// The pieces of SQL that differ.
pub(super) struct LeaseSql {
    backend: Backend,
    lease: Duration,
    held: String,
    /// Row locks for whoever looks for something to lease.
    pub(super) lock: &'static str,
}

impl LeaseSql {
    /// For rows of which this process holds `held`. Make it inside the write transaction that uses it: on SQLite what is
    /// held is the truth only while no other lane can lease.
    pub(super) fn new(app: &App, held: &HeldLeases) -> Self {
        let backend = app.db.backend();
        let ids: Vec<String> = match backend {
            Backend::Sqlite => held.ids().iter().map(i64::to_string).collect(),
            Backend::Postgres => Vec::new(),
        };
        Self {
            backend,
            lease: app.config.mail.lease(),
            held: ids.join(","),
            lock: match backend {
                Backend::Sqlite => "",
                Backend::Postgres => "FOR UPDATE SKIP LOCKED",
            },
        }
    }

    /// Whether a leased row is free again; `row` is a prefix like `b.`, or empty.
    pub(super) fn over(&self, row: &str) -> String {
        match (self.backend, self.held.as_str()) {
            (Backend::Postgres, _) => self.run_out(&format!("{row}lease_until_ms")),
            (Backend::Sqlite, "") => "1 = 1".to_owned(),
            (Backend::Sqlite, held) => format!("{row}id NOT IN ({held})"),
        }
    }

    /// Whether a lease in this column has run out. On SQLite that of a part that has one worker only: at once.
    pub(super) fn run_out(&self, column: &str) -> String {
        match self.backend {
            Backend::Postgres => format!("{column} < {DATABASE_NOW}"),
            Backend::Sqlite => "1 = 1".to_owned(),
        }
    }

    /// The end of a lease that begins now, for `lease_until_ms`. On SQLite nobody reads it: it only says "leased".
    pub(super) fn until(&self) -> String {
        match self.backend {
            Backend::Postgres => format!("{DATABASE_NOW} + {}", self.lease.as_millis()),
            Backend::Sqlite => "1".to_owned(),
        }
    }
}

/// How long a lease that is granted now is good for its holder. On SQLite nobody else can take it: for ever, that is, 30 years.
pub(super) fn good_until(app: &App) -> Instant {
    Instant::now()
        + match app.db.backend() {
            Backend::Postgres => app.config.mail.lease(),
            Backend::Sqlite => Duration::from_secs(30 * 365 * 86_400),
        }
}

/// Between heartbeats: a quarter of a lease.
pub(super) fn heartbeat(app: &App) -> Duration {
    app.config.mail.lease() / 4
}

/// Renews the leases of all batches and mails that lanes of this process have in hand, however long a relay takes to answer. A
/// row that somebody else took meanwhile is left alone: its fence is another.
pub(super) async fn renew(app: &App) -> Result<(), DbErr> {
    for (table, held) in [
        ("mail_batch", app.mailer.held_batches()),
        ("outbox", app.mailer.held_mails()),
    ] {
        let renewed = timeout(RENEWAL, renew_in(app, table, held)).await;
        renewed.unwrap_or_else(|_| {
            Err(DbErr::Custom(
                "the database takes too long to renew leases".into(),
            ))
        })?;
    }
    Ok(())
}

async fn renew_in(app: &App, table: &str, held: &HeldLeases) -> Result<(), DbErr> {
    let leases = held.leases();
    if leases.is_empty() || app.db.backend() == Backend::Sqlite {
        return Ok(());
    }
    let until = good_until(app);
    let txn = app.db.write_txn("lease_renew").await?;
    let (list, end) = (
        db::in_list(leases.len(), 1),
        LeaseSql::new(app, held).until(),
    );
    // Locked in the order in which the ledger locks them.
    let sql = format!(
        "WITH mine AS MATERIALIZED (SELECT id FROM {table} WHERE worker = $1 AND state < 2 AND id IN {list}
           ORDER BY id FOR UPDATE)
         UPDATE {table} SET lease_until_ms = {end} FROM mine WHERE {table}.id = mine.id
         RETURNING {table}.id, {table}.fence"
    );
    let ids = leases.iter().map(|(id, _)| Value::from(*id));
    let values = std::iter::once(app.node.clone().into()).chain(ids);
    let renewed = db::fetch_all(&*txn, sql, values).await?;
    txn.commit().await?;
    for row in &renewed {
        held.renewed(row.try_get_by_index(0)?, row.try_get_by_index(1)?, until);
    }
    Ok(())
}
