//! The one way to write.
//!
//! What must follow a commit is noted before it, and follows in the task that commits ([`WriteTxn::ring`]): whoever asked may hang up
//! meanwhile, and a request that is dropped goes no further than the commit that it waits for.

use std::ops::Deref;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};

use super::fate::{Ticket, connection_lost};
use super::health::Health;
use super::{Backend, Batch, Db};

/// A named write transaction; rolled back when it is dropped without [`WriteTxn::commit`].
#[derive(Debug)]
pub struct WriteTxn {
    txn: Noting,
    name: &'static str,
    /// Where to ask what became of it: PostgreSQL only.
    ask: Option<DatabaseConnection>,
    db: Db,
    then: Then,
}

/// A transaction whose statements tell where they fail as a database that cannot be written does. That a transaction is dropped tells
/// nothing: so ends every request that is refused.
#[derive(Debug)]
pub struct Noting {
    txn: DatabaseTransaction,
    health: Arc<Health>,
}

/// What follows the commit.
#[derive(Debug, Default)]
struct Then {
    ring: AtomicBool,
    cut_log: AtomicBool,
}

impl Then {
    fn is_anything(&self) -> bool {
        self.ring.load(Relaxed) || self.cut_log.load(Relaxed)
    }

    fn follow(&self, db: &Db) {
        if self.ring.load(Relaxed) {
            db.bell().ring();
        }
        if self.cut_log.load(Relaxed) {
            db.cut_log_soon();
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
            txn: Noting { txn, health },
            name,
            ask,
            db: self.clone(),
            then: Then::default(),
        })
    }
}

impl WriteTxn {
    /// Has the [`Bell`](super::Bell) rung by the commit, and by nothing else: something is written that somebody works on.
    pub fn ring(&self) {
        self.then.ring.store(true, Relaxed);
    }

    /// Has the write-ahead log cut soon after the commit: see [`Db::cut_log_soon`].
    pub fn cut_log(&self) {
        self.then.cut_log.store(true, Relaxed);
    }

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
        if !self.then.is_anything() {
            return self.end(last).await;
        }
        match tokio::spawn(self.end(last)).await {
            Ok(done) => done,
            Err(stopped) => match stopped.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                Err(_) => Err(DbErr::Custom("the process has stopped".into())),
            },
        }
    }

    async fn end(mut self, last: Batch) -> Result<(), DbErr> {
        let (db, then) = (self.db.clone(), std::mem::take(&mut self.then));
        let done = self.carry_out(last).await;
        match &done {
            Ok(()) => then.follow(&db),
            Err(error) => db.health().note(error),
        }
        done
    }

    async fn carry_out(self, last: Batch) -> Result<(), DbErr> {
        let txn = self.txn.txn;
        let ticket = match &self.ask {
            Some(_) => Some(Ticket::read(
                last.run_and_return(&txn, Ticket::WRITE).await?,
            )?),
            None => {
                last.run(&txn).await?;
                None
            }
        };
        // From here on the result says all.
        let started = tokio::time::Instant::now();
        let done = match (txn.commit().await, ticket, &self.ask) {
            (Err(error), Some(ticket), Some(db)) if connection_lost(&error) => {
                ticket.settle(db, self.name, error).await
            }
            (done, _, _) => done,
        };
        note(self.name, started.elapsed());
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
    type Target = Noting;
    fn deref(&self) -> &Noting {
        &self.txn
    }
}

/// For what only reads.
impl Deref for Noting {
    type Target = DatabaseTransaction;
    fn deref(&self) -> &DatabaseTransaction {
        &self.txn
    }
}

impl Noting {
    fn noted<T>(&self, done: Result<T, DbErr>) -> Result<T, DbErr> {
        done.inspect_err(|error| self.health.suspect(error))
    }
}

#[async_trait]
impl ConnectionTrait for Noting {
    fn get_database_backend(&self) -> DbBackend {
        self.txn.get_database_backend()
    }

    async fn execute_raw(&self, stmt: Statement) -> Result<ExecResult, DbErr> {
        self.noted(self.txn.execute_raw(stmt).await)
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.noted(self.txn.execute_unprepared(sql).await)
    }

    async fn query_one_raw(&self, stmt: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.noted(self.txn.query_one_raw(stmt).await)
    }

    async fn query_all_raw(&self, stmt: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.noted(self.txn.query_all_raw(stmt).await)
    }
}
