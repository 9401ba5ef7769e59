//! A write transaction that begins with a query and ends with a batch, for the ballot writers, which run hundreds a
//! second.
//!
//! On SQLite every call to the driver is a round trip to its thread, with a wake-up in each direction, and `BEGIN`
//! and `COMMIT` cost another one each. Here `BEGIN` is sent with the query and `COMMIT` with the batch, and the
//! connection is kept for the next group unless somebody else wants to write: two round trips instead of five,
//! which gives a seventh more ballots a second at 64 connections. On PostgreSQL it is a [`WriteTxn`].

use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::{self, AssertSqlSafe, Sqlite, SqliteConnection};
use sea_orm::{DbErr, QueryResult, RuntimeErr, Value, Values};
use sea_query_sqlx::SqlxValues;
use tokio::time::Instant;

use super::sql::nameless;
use super::write::note;
use super::{Backend, Batch, Db, WriteTxn, fetch_all};

/// A write transaction whose opening query has run. Rolled back if it is dropped without [`AskedTxn::commit_with`].
#[derive(Debug)]
pub enum AskedTxn {
    Sqlite(Open),
    Postgres(WriteTxn),
}

/// SQLite's write connection, inside a transaction that the driver does not know of.
#[derive(Debug)]
pub struct Open {
    db: Db,
    name: &'static str,
    /// `None` once it is given back.
    connection: Option<PoolConnection<Sqlite>>,
}

impl Db {
    /// Begins a write transaction with a query and returns the query's rows. `name` is as in [`Db::write_txn`].
    ///
    /// # Errors
    /// As [`Db::write_txn`].
    pub async fn ask_and_write(
        &self,
        name: &'static str,
        question: String,
        values: Vec<Value>,
    ) -> Result<(AskedTxn, Vec<QueryResult>), DbErr> {
        if self.backend() == Backend::Postgres {
            let txn = self.write_txn(name).await?;
            let rows = fetch_all(&*txn, question, values).await;
            let rows = rows.inspect_err(|error| self.health().note(error))?;
            return Ok((AskedTxn::Postgres(txn), rows));
        }
        let mut open = self.opened(name).await?;
        let rows = open
            .carry_out(format!("BEGIN IMMEDIATE; {question}"), values)
            .await?;
        Ok((AskedTxn::Sqlite(open), rows))
    }
}

impl Db {
    /// Commits a batch that needs no query first, in one round trip. SQLite only.
    ///
    /// # Errors
    /// As [`WriteTxn::commit_with`].
    pub async fn write_at_once(&self, name: &'static str, batch: Batch) -> Result<(), DbErr> {
        let open = self.opened(name).await?;
        open.end("BEGIN IMMEDIATE; ", batch).await
    }

    async fn opened(&self, name: &'static str) -> Result<Open, DbErr> {
        self.health().let_write()?;
        let connection = self.kept_writer().await;
        let connection = connection.inspect_err(|error| self.health().note(error))?;
        Ok(Open {
            db: self.clone(),
            name,
            connection: Some(connection),
        })
    }
}

impl AskedTxn {
    /// The transaction on PostgreSQL, for further queries.
    #[must_use]
    pub fn postgres(&self) -> Option<&WriteTxn> {
        match self {
            Self::Postgres(txn) => Some(txn),
            Self::Sqlite(_) => None,
        }
    }

    /// Like [`WriteTxn::commit_with`].
    ///
    /// # Errors
    /// As [`WriteTxn::commit_with`].
    pub async fn commit_with(self, last: Batch) -> Result<(), DbErr> {
        match self {
            Self::Postgres(txn) => txn.commit_with(last).await,
            Self::Sqlite(open) => open.end("", last).await,
        }
    }
}

impl Open {
    /// Runs `last` after `first` and makes all of it durable.
    async fn end(mut self, first: &str, last: Batch) -> Result<(), DbErr> {
        let started = Instant::now();
        let (statements, values) = last.into_one();
        let then = if statements.is_empty() { "" } else { "; " };
        let sql = format!("{first}{statements}{then}COMMIT");
        let done = self.carry_out(sql, values).await;
        note(self.name, started.elapsed());
        done?;
        if let Some(connection) = self.connection.take() {
            self.db.keep_writer(connection);
        }
        Ok(())
    }

    /// Runs statements in one round trip. If one fails, the transaction is rolled back.
    async fn carry_out(
        &mut self,
        sql: String,
        values: Vec<Value>,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let Some(connection) = &mut self.connection else {
            return Err(DbErr::Custom("the transaction has ended".into()));
        };
        let done = all_rows(connection, sql, values).await;
        if done.is_err()
            && sqlx::raw_sql("ROLLBACK")
                .execute(&mut **connection)
                .await
                .is_ok()
        {
            // No transaction is left open, so the connection can be reused. Otherwise `drop` closes it: SQLite may
            // have ended the transaction itself, as it does when the disk is full.
            self.connection = None;
        }
        let done = done.map_err(|error| DbErr::Query(RuntimeErr::SqlxError(error.into())));
        done.inspect_err(|error| self.db.health().note(error))
    }
}

impl Drop for Open {
    /// The state of the connection is not known. Closing it rolls back whatever is open.
    fn drop(&mut self) {
        if let Some(mut connection) = self.connection.take() {
            connection.close_on_drop();
        }
    }
}

/// Runs statements with their values and returns the rows of all of them.
async fn all_rows(
    connection: &mut SqliteConnection,
    sql: String,
    values: Vec<Value>,
) -> Result<Vec<QueryResult>, sqlx::Error> {
    let sql = nameless(&sql).unwrap_or(sql);
    let query = sqlx::query_with(AssertSqlSafe(sql), SqlxValues(Values(values)));
    let rows = query.fetch_all(connection).await?;
    Ok(rows.into_iter().map(QueryResult::from).collect())
}
