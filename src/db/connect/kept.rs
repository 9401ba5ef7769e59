//! SQLite's one write connection: in its pool, or kept out of it between two groups of ballots.

use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sea_orm::sqlx::Sqlite;
use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::{DatabaseConnection, DbErr, RuntimeErr};

use super::Db;

/// SQLite's one write connection, kept between two groups of ballots.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// How many others want to write through the pool.
    others: AtomicUsize,
    connection: Mutex<Option<PoolConnection<Sqlite>>>,
}

impl Kept {
    fn lock(&self) -> MutexGuard<'_, Option<PoolConnection<Sqlite>>> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pool of write connections. While one of these lives, [`Db::keep_writer`] keeps no connection out of the
/// pool.
#[derive(Debug)]
pub(in crate::db) struct Writer<'a>(&'a Db);

impl Deref for Writer<'_> {
    type Target = DatabaseConnection;
    fn deref(&self) -> &DatabaseConnection {
        &self.0.writer
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        self.0.kept.others.fetch_sub(1, SeqCst);
    }
}

impl Db {
    /// The pool of write connections.
    pub(in crate::db) fn writer(&self) -> Writer<'_> {
        // Counted before taking the kept connection: `keep_writer` reads the count while it holds the lock.
        self.kept.others.fetch_add(1, SeqCst);
        let kept = self.kept.lock().take();
        // Returns it to the pool.
        drop(kept);
        Writer(self)
    }

    /// SQLite's write connection: the one kept from last time, or else one from the pool.
    ///
    /// # Errors
    /// As [`Db::write_txn`].
    pub(in crate::db) async fn kept_writer(&self) -> Result<PoolConnection<Sqlite>, DbErr> {
        let kept = self.kept.lock().take();
        match kept {
            Some(connection) => Ok(connection),
            None => {
                // Counted too, because two callers may ask for it at the same time.
                let writer = self.writer();
                let acquired = writer.get_sqlite_connection_pool().acquire().await;
                acquired.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))
            }
        }
    }

    /// Keeps the connection for the next time, unless somebody else is waiting for it: going through the pool costs
    /// two round trips.
    pub(in crate::db) fn keep_writer(&self, connection: PoolConnection<Sqlite>) {
        let mut kept = self.kept.lock();
        if self.kept.others.load(SeqCst) == 0 {
            *kept = Some(connection);
        }
    }
}
