//! Leases: who may work on a row, and by which clock that is decided.
//!
//! PostgreSQL: several nodes, each with its own clock, so leases are granted, compared and renewed by the database's
//! clock alone. The holder measures its lease with its machine's monotonic clock and sends nothing once it has run out.
//! SQLite: one process owns the file, so every row that it does not hold is free at once, and a row that it holds is
//! never leased again, whatever the wall clock does. Due times (`not_before_ms`) are wall-clock times.

use std::time::Duration;

use sea_orm::{FromQueryResult, Value};
use tokio::time::{Instant, timeout};

use super::held::HeldLeases;
use super::mailing::BatchState;
use super::outbox::MailState;
use crate::{
    app::App,
    db::{self, Backend, DbErr},
};

/// The database's time in Unix milliseconds.
const DATABASE_NOW: &str = "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";
/// A renewal that takes longer is abandoned and tried again: a hung renewal must not let the leases run out.
const RENEWAL: Duration = Duration::from_secs(10);

/// The SQL fragments that differ between the databases.
pub(super) struct LeaseSql {
    backend: Backend,
    lease: Duration,
    held: String,
    /// The row lock for queries that look for something to lease.
    pub(super) lock: &'static str,
}

impl LeaseSql {
    /// The fragments for rows of which this process holds `held`. Create it inside the write transaction that uses it:
    /// on SQLite, `held` is reliable only while no other lane can lease.
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

    /// A condition: a leased row is free again. `row` is a prefix like `b.`, or empty.
    pub(super) fn over(&self, row: &str) -> String {
        match (self.backend, self.held.as_str()) {
            (Backend::Postgres, _) => self.run_out(&format!("{row}lease_until_ms")),
            (Backend::Sqlite, "") => "1 = 1".to_owned(),
            (Backend::Sqlite, held) => format!("{row}id NOT IN ({held})"),
        }
    }

    /// A condition: the lease in this column has run out. On SQLite always true; only for work with a single worker.
    pub(super) fn run_out(&self, column: &str) -> String {
        match self.backend {
            Backend::Postgres => format!("{column} < {DATABASE_NOW}"),
            Backend::Sqlite => "1 = 1".to_owned(),
        }
    }

    /// An expression for `lease_until_ms`: the end of a lease that begins now. On SQLite only a mark for "leased".
    pub(super) fn until(&self) -> String {
        match self.backend {
            Backend::Postgres => format!("{DATABASE_NOW} + {}", self.lease.as_millis()),
            Backend::Sqlite => "1".to_owned(),
        }
    }
}

/// Until when a lease that is granted now is valid for its holder. On SQLite it never runs out (30 years).
pub(super) fn good_until(app: &App) -> Instant {
    Instant::now()
        + match app.db.backend() {
            Backend::Postgres => app.config.mail.lease(),
            Backend::Sqlite => Duration::from_secs(30 * 365 * 86_400),
        }
}

/// The time between heartbeats: a quarter of a lease.
pub(super) fn heartbeat(app: &App) -> Duration {
    app.config.mail.lease() / 4
}

/// Renews the leases of all batches and mails that lanes of this process hold, so that a slow relay does not cost them.
/// A row that another node has taken meanwhile is left alone.
pub(super) async fn renew(app: &App) -> Result<(), DbErr> {
    for (table, ended, held) in [
        (
            "mail_batch",
            BatchState::Done.code(),
            app.mailer.held_batches(),
        ),
        ("outbox", MailState::Sent.code(), app.mailer.held_mails()),
    ] {
        let renewed = timeout(RENEWAL, renew_in(app, table, ended, held)).await;
        renewed.unwrap_or_else(|_| {
            Err(DbErr::Custom(
                "the database takes too long to renew leases".into(),
            ))
        })?;
    }
    Ok(())
}

/// A row whose lease goes on, and the fence under which it is held.
#[derive(FromQueryResult)]
struct Renewed {
    id: i64,
    fence: i64,
}

/// Renews the leases in `table`, where only rows in a state below `ended` are leased.
async fn renew_in(app: &App, table: &str, ended: i16, held: &HeldLeases) -> Result<(), DbErr> {
    let leases = held.leases();
    if leases.is_empty() || app.db.backend() == Backend::Sqlite {
        return Ok(());
    }
    let until = good_until(app);
    let txn = app.db.write_txn("lease_renew").await?;
    let (list, end) = (
        db::in_list(leases.len(), 2),
        LeaseSql::new(app, held).until(),
    );
    // In the order in which the ledger locks the rows, to avoid deadlocks.
    let sql = format!(
        "WITH mine AS MATERIALIZED (SELECT id FROM {table} WHERE worker = $1 AND state < $2 AND id IN {list}
           ORDER BY id FOR UPDATE)
         UPDATE {table} SET lease_until_ms = {end} FROM mine WHERE {table}.id = mine.id
         RETURNING {table}.id, {table}.fence"
    );
    let ids = leases.iter().map(|(id, _)| Value::from(*id));
    let values = [app.node.clone().into(), ended.into()];
    let renewed: Vec<Renewed> = db::find_all(&*txn, sql, values.into_iter().chain(ids)).await?;
    txn.commit().await?;
    for row in renewed {
        held.renewed(row.id, row.fence, until);
    }
    Ok(())
}
