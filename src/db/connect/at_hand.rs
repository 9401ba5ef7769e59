//! PostgreSQL's connections at hand: kept out of the pool between two statements that are transactions of their own.
//!
//! The driver tests a connection whenever it goes back to its pool: one more round trip for each statement, and two
//! processes that wake each other for it, while the next statement takes another connection and another process of the
//! server. A writer that runs hundreds of statements a second notices both.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Postgres};
use sea_orm::{DbErr, QueryResult, RuntimeErr, Value, Values};
use sea_query_sqlx::SqlxValues;
use tokio::time::Instant;

use super::Db;

/// A connection that was idle for longer goes through the pool, which tests it: the server may have closed it.
pub(super) const IDLE: Duration = Duration::from_secs(5);
/// At most one of this many connections of the pool is kept, so that whoever else needs one finds one.
const SHARE: u32 = 4;

/// The connections at hand.
#[derive(Debug, Default)]
pub(super) struct AtHand {
    most: usize,
    /// The last used is at the end. `None` once the database is being closed: the pool waits for all connections.
    connections: Mutex<Option<Vec<Kept>>>,
}

#[derive(Debug)]
struct Kept {
    connection: PoolConnection<Postgres>,
    since: Instant,
}

impl AtHand {
    /// For a pool of this many connections.
    pub(super) fn of(connections: u32) -> Self {
        Self {
            most: (connections / SHARE) as usize,
            connections: Mutex::new(Some(Vec::new())),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Kept>>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection that was used last, unless it was idle for too long.
    fn take(&self) -> Option<PoolConnection<Postgres>> {
        let last = self.lock().as_mut()?.pop()?;
        (last.since.elapsed() < IDLE).then_some(last.connection)
    }

    fn keep(&self, connection: PoolConnection<Postgres>) {
        let mut kept = self.lock();
        if let Some(kept) = kept.as_mut()
            && kept.len() < self.most
        {
            kept.push(Kept {
                connection,
                since: Instant::now(),
            });
        }
    }

    /// Gives all of them back to the pool, and keeps none from now on.
    pub(super) fn give_back(&self) {
        let kept = self.lock().take();
        drop(kept);
    }
}

impl Db {
    /// Runs a statement that is a transaction of its own and returns its rows. PostgreSQL only.
    ///
    /// # Errors
    /// The error of the database or the pool.
    pub(in crate::db) async fn run_alone(
        &self,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let failed = |error: sqlx::Error| DbErr::Query(RuntimeErr::SqlxError(error.into()));
        let mut connection = match self.at_hand.take() {
            Some(connection) => connection,
            None => {
                let acquired = self.writer.get_postgres_connection_pool().acquire().await;
                acquired.map_err(|error| DbErr::Conn(RuntimeErr::SqlxError(error.into())))?
            }
        };
        let query = sqlx::query_with(AssertSqlSafe(sql), SqlxValues(Values(values)));
        // After an error, or if the caller stops waiting, it goes back to the pool, which tests it.
        let rows = query.fetch_all(&mut *connection).await.map_err(failed)?;
        self.at_hand.keep(connection);
        Ok(rows.into_iter().map(QueryResult::from).collect())
    }
}
