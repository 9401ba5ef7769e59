//! The one way to write.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};

use super::fate::{Ticket, connection_lost};
use super::health::Health;
use super::{Backend, Batch, Db};

/// A named write transaction; rolled back when it is dropped without [`WriteTxn::commit`].
#[derive(Debug)]
pub struct WriteTxn {
    txn: DatabaseTransaction,
    name: &'static str,
    /// Where to ask what became of it: PostgreSQL only.
    ask: Option<DatabaseConnection>,
    open: GivenUp,
}

/// Tells of a transaction that is dropped without a commit: a statement may have failed.
#[derive(Debug)]
struct GivenUp(Option<Arc<Health>>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        if let Some(health) = &self.0 {
            health.suspect();
        }
    }
}

/// No statement of ours may hold the writer longer than this, in seconds; then it is logged.
const SLOW: Duration = Duration::from_secs(1);

impl Db {
    /// Begins a write transaction. `name` says what for, in metrics and logs.
    ///
    /// # Errors
    /// What the database said; on SQLite also a writer that stayed busy for 30 s.
    pub async fn write_txn(&self, name: &'static str) -> Result<WriteTxn, DbErr> {
        self.health().let_write()?;
        let begun = self
            .writer()
            .begin_with_options(TransactionOptions {
                sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
                ..TransactionOptions::default()
            })
            .await;
        let txn = begun.inspect_err(|error| self.health().note(error))?;
        let ask = match self.backend() {
            Backend::Postgres => Some(self.writer().clone()),
            Backend::Sqlite => None,
        };
        let health = self.health().clone();
        Ok(WriteTxn {
            txn,
            name,
            ask,
            open: GivenUp(Some(health)),
        })
    }
}

impl WriteTxn {
    /// Makes it durable: after this returns, a power cut cannot undo it. When the connection breaks before the answer, this
    /// waits until the database says whether it is.
    ///
    /// # Errors
    /// What the database said; then nothing was written.
    pub async fn commit(self) -> Result<(), DbErr> {
        self.commit_with(Batch::default()).await
    }

    /// Carries out `last` and makes all of it durable, as [`commit`](Self::commit): one trip to PostgreSQL less than apart.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub async fn commit_with(self, last: Batch) -> Result<(), DbErr> {
        let health = self.open.0.clone();
        let done = self.carry_out(last).await;
        if let (Err(error), Some(health)) = (&done, health) {
            health.note(error);
        }
        done
    }

    async fn carry_out(self, last: Batch) -> Result<(), DbErr> {
        let ticket = match &self.ask {
            Some(_) => Some(Ticket::read(
                last.run_and_return(&self.txn, Ticket::WRITE).await?,
            )?),
            None => {
                last.run(&self.txn).await?;
                None
            }
        };
        // From here on the result says all.
        let Self {
            txn,
            name,
            ask,
            mut open,
        } = self;
        open.0 = None;
        let started = tokio::time::Instant::now();
        let done = match (txn.commit().await, ticket, &ask) {
            (Err(error), Some(ticket), Some(db)) if connection_lost(&error) => {
                ticket.settle(db, name, error).await
            }
            (done, _, _) => done,
        };
        note(name, started.elapsed());
        done
    }
}

/// Notes how long a commit took.
pub(super) fn note(name: &'static str, took: Duration) {
    metrics::histogram!("canvass_commit_seconds", "txn" => name).record(took);
    if took > SLOW {
        tracing::warn!(
            txn = name,
            ms = took.as_millis() as u64,
            "a commit was slow"
        );
    }
}

impl Deref for WriteTxn {
    type Target = DatabaseTransaction;
    fn deref(&self) -> &DatabaseTransaction {
        &self.txn
    }
}
