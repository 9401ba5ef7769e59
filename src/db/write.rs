//! The one way to write.
//!
//! Whatever must follow a commit is noted before it and done by the task that commits ([`WriteTxn::ring`],
//! [`WriteTxn::after`]). The client may disconnect meanwhile, and the handler of a dropped request gets no further than
//! the await on its commit.

use std::fmt;
use std::ops::Deref;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};

use super::fate::{Ticket, connection_lost};
use super::health::Health;
use super::{Backend, Batch, Db};

/// A named write transaction; rolled back if it is dropped without [`WriteTxn::commit`].
#[derive(Debug)]
pub struct WriteTxn {
    txn: Noting,
    name: &'static str,
    /// The connection for asking about the outcome of a lost commit; PostgreSQL only.
    ask: Option<DatabaseConnection>,
    db: Db,
    then: Then,
}

/// A transaction whose statements report errors that mean the database cannot be written. Being dropped reports
/// nothing, because every refused request ends that way.
#[derive(Debug)]
pub struct Noting {
    txn: DatabaseTransaction,
    health: Arc<Health>,
}

/// What to do after the commit.
#[derive(Default)]
struct Then {
    ring: AtomicBool,
    cut_log: AtomicBool,
    more: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
}

impl Then {
    fn more(&self) -> MutexGuard<'_, Vec<Box<dyn FnOnce() + Send>>> {
        self.more.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_anything(&self) -> bool {
        self.ring.load(Relaxed) || self.cut_log.load(Relaxed) || !self.more().is_empty()
    }

    fn follow(&self, db: &Db) {
        if self.ring.load(Relaxed) {
            db.bell().ring();
        }
        if self.cut_log.load(Relaxed) {
            db.cut_log_soon();
        }
        let more = std::mem::take(&mut *self.more());
        more.into_iter().for_each(|act| act());
    }
}

impl fmt::Debug for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Then")
            .field("ring", &self.ring)
            .field("cut_log", &self.cut_log)
            .finish_non_exhaustive()
    }
}

/// A commit that takes longer than this is logged, because others wait for the writer meanwhile.
const SLOW: Duration = Duration::from_secs(1);

impl Db {
    /// Begins a write transaction. `name` is for metrics and logs.
    ///
    /// # Errors
    /// The error of the database, or on SQLite a timeout if the writer was busy for 30 s.
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
    /// Lets a successful commit ring the [`Bell`](super::Bell), because it writes rows that a background task waits
    /// for.
    pub fn ring(&self) {
        self.then.ring.store(true, Relaxed);
    }

    /// Lets the write-ahead log be truncated soon after the commit: see [`Db::cut_log_soon`].
    pub fn cut_log(&self) {
        self.then.cut_log.store(true, Relaxed);
    }

    /// Lets a successful commit be followed by `act`, which must be quick.
    pub fn after(&self, act: impl FnOnce() + Send + 'static) {
        self.then.more().push(Box::new(act));
    }

    /// Makes it durable: after this returns, a power cut cannot undo it. If the connection breaks before the reply,
    /// this waits until the outcome is known.
    ///
    /// # Errors
    /// The error of the database. Nothing was written, unless the error [`is_unwritable`](super::is_unwritable) on
    /// SQLite: the outcome of a commit that the disk failed is unknown.
    pub async fn commit(self) -> Result<(), DbErr> {
        self.commit_with(Batch::default()).await
    }

    /// Runs `last` and makes everything durable, like [`commit`](Self::commit), with one round trip to PostgreSQL
    /// less than separately.
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
        // From here on the outcome is in the result.
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

/// Records how long a commit took.
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

/// For reading only.
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
