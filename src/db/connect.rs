//! Opening the database, and its connections.
//!
//! `kept`: SQLite's one write connection. `at_hand`: PostgreSQL's connections for statements that come often.

mod at_hand;
mod kept;

use std::ops::Deref;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::Connection as _;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::sqlite::SqliteConnectOptions;
use sea_orm::{
    AccessMode, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction,
    DbErr, IsolationLevel, RuntimeErr, TransactionOptions, TransactionTrait,
};

use self::at_hand::AtHand;
use self::kept::Kept;
use super::bell::Bell;
use super::fetch_one;
use super::health::Health;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::types::Secret;

/// The oldest SQLite that is safe: older ones can corrupt a WAL database
/// (<https://www.sqlite.org/wal.html#walresetbug>).
pub const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// How long a SQLite connection waits for a lock that another program holds.
pub(super) const BUSY: Duration = Duration::from_secs(5);

/// How long to spend on finding out why PostgreSQL cannot be reached.
const REASON: Duration = Duration::from_secs(5);
/// How many prepared statements each connection keeps that only reads from SQLite; the driver would keep a hundred.
const READERS_STATEMENTS: usize = 50;

/// The kind of database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// One file, one process.
    Sqlite,
    /// A server, several nodes.
    Postgres,
}

/// The connections. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    backend: Backend,
    reader: DatabaseConnection,
    writer: DatabaseConnection,
    /// Turns for [`Db::scan`].
    scans: Arc<Semaphore>,
    kept: Arc<Kept>,
    at_hand: Arc<AtHand>,
    health: Arc<Health>,
    bell: Bell,
}

/// A turn to read very many rows, and the connections for it.
#[derive(Debug)]
pub struct Scan {
    reader: DatabaseConnection,
    /// `None` only if the semaphore were closed, which nobody does.
    _turn: Option<OwnedSemaphorePermit>,
}

impl Deref for Scan {
    type Target = DatabaseConnection;
    fn deref(&self) -> &DatabaseConnection {
        &self.reader
    }
}

/// A database that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be reached or opened.
    #[error("the database cannot be opened: {0}")]
    Connect(DbErr),
    /// The URL cannot be parsed. It is not quoted, because it holds a password.
    #[error(
        "cannot be read; postgres://user:password@host/database is expected, with / in the password as %2F, # as %23, ? as %3F and @ as %40"
    )]
    Unreadable,
    /// The SQLite library is too old to be safe.
    #[error(
        "SQLite {found} is too old: {} or newer is needed (older ones can corrupt the database)",
        "3.51.3"
    )]
    OldSqlite {
        /// The version that was found.
        found: String,
    },
}

impl Db {
    /// Opens `url` with up to `max_connections` connections.
    ///
    /// # Errors
    /// [`OpenError`]; its text never holds the URL.
    pub async fn open(url: &Secret, max_connections: u32) -> Result<Self, OpenError> {
        if url.expose().starts_with("sqlite:") {
            Self::open_sqlite(url, max_connections).await
        } else {
            Self::open_postgres(url, max_connections).await
        }
    }

    async fn open_sqlite(url: &Secret, max_connections: u32) -> Result<Self, OpenError> {
        let options = SqliteConnectOptions::from_str(url.expose()).ok();
        let file = options.map(|options| options.get_filename().to_path_buf());
        if let Some(file) = &file {
            keep_private(file);
        }
        // The writer is opened first: it switches the file to WAL.
        let writer = sqlite_pool(url, 1, false).await?;
        let row = fetch_one(&writer, "SELECT sqlite_version()", [])
            .await
            .map_err(OpenError::Connect)?;
        let found: String = row
            .and_then(|r| r.try_get_by_index(0).ok())
            .unwrap_or_default();
        if version(&found) < OLDEST_SQLITE {
            return Err(OpenError::OldSqlite { found });
        }
        let reader = sqlite_pool(url, max_connections.max(2) - 1, true).await?;
        Ok(Self {
            backend: Backend::Sqlite,
            reader,
            writer,
            scans: scans(max_connections),
            kept: Arc::default(),
            at_hand: Arc::default(),
            health: Arc::new(file.map(Health::of_file).unwrap_or_default()),
            bell: Bell::default(),
        })
    }

    async fn open_postgres(url: &Secret, max_connections: u32) -> Result<Self, OpenError> {
        // Parsed here before the driver does it: the driver's error would quote the URL, and with it the password.
        let Ok(parsed) = PgConnectOptions::from_str(url.expose()) else {
            return Err(OpenError::Unreadable);
        };
        let mut options = ConnectOptions::new(url.expose());
        quiet(&mut options)
            .max_connections(max_connections)
            .acquire_timeout(Duration::from_secs(10))
            // No reaper: the driver counts a connection as idle only after it is available, so the count can drop
            // below zero, and the reaper then loops for ever (launchbadge/sqlx#4289). There are few connections,
            // and dead ones are found when they are tested.
            .idle_timeout(None::<Duration>)
            .max_lifetime(None::<Duration>)
            // A server may close idle connections. The test costs a round trip, so it is made only after some idle
            // time.
            .test_before_acquire_if_idle_for(at_hand::IDLE);
        let pool = match Database::connect(options).await {
            Ok(pool) => pool,
            Err(error) => {
                // The pool's error says only that it timed out, so connect once more to learn the reason.
                let tried = timeout(REASON, PgConnection::connect_with(&parsed)).await;
                return Err(OpenError::Connect(match tried {
                    Ok(Err(reason)) => DbErr::Conn(RuntimeErr::SqlxError(reason.into())),
                    _ => error,
                }));
            }
        };
        Ok(Self {
            backend: Backend::Postgres,
            reader: pool.clone(),
            writer: pool,
            scans: scans(max_connections),
            kept: Arc::default(),
            at_hand: Arc::new(AtHand::of(max_connections)),
            health: Arc::default(),
            bell: Bell::default(),
        })
    }

    /// The kind of database this is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.backend
    }

    pub(super) fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// The bell that commits ring when they bring work.
    #[must_use]
    pub fn bell(&self) -> &Bell {
        &self.bell
    }

    /// The connections for reading.
    #[must_use]
    pub fn read(&self) -> &DatabaseConnection {
        &self.reader
    }

    /// Like [`read`](Self::read), for a query that reads very many rows, such as all ballots of a poll. Waits for a
    /// turn, because such queries together never take the last connection: votes need one every second. Whoever has a
    /// turn must not ask for another. For background work; a request uses [`scanning`](Self::scanning).
    pub async fn scan(&self) -> Scan {
        Scan {
            reader: self.reader.clone(),
            _turn: Arc::clone(&self.scans).acquire_owned().await.ok(),
        }
    }

    /// Reads with a turn of [`scan`](Self::scan), to the end even if the caller is dropped because a client hung up:
    /// the database notices that only when it has found a row, and nobody may have the turn until then.
    ///
    /// # Errors
    /// The error of `read`.
    pub async fn scanning<T, F>(&self, read: impl FnOnce(Scan) -> F + Send) -> Result<T, DbErr>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, DbErr>> + Send + 'static,
    {
        let scan = self.scan().await;
        let reading = tokio::spawn(read(scan)).await;
        reading.map_err(|_| DbErr::Custom("reading very many rows broke".to_owned()))?
    }

    /// A read transaction that sees one snapshot of the database, whatever is written meanwhile.
    ///
    /// # Errors
    /// The error of the database or the pool.
    pub async fn snapshot(&self) -> Result<DatabaseTransaction, DbErr> {
        let options = match self.backend {
            Backend::Postgres => TransactionOptions {
                isolation_level: Some(IsolationLevel::RepeatableRead),
                access_mode: Some(AccessMode::ReadOnly),
                ..TransactionOptions::default()
            },
            Backend::Sqlite => TransactionOptions::default(),
        };
        self.reader.begin_with_options(options).await
    }

    /// Checks that the database answers.
    ///
    /// # Errors
    /// The error of the database or the pool.
    pub async fn ping(&self) -> Result<(), DbErr> {
        self.reader.execute_unprepared("SELECT 1").await.map(drop)
    }

    /// Closes every connection; on SQLite this checkpoints the WAL.
    ///
    /// # Errors
    /// The error of the driver.
    pub async fn close(self) -> Result<(), DbErr> {
        if self.backend == Backend::Sqlite {
            self.reader.clone().close().await?;
        }
        self.at_hand.give_back();
        let writer = self.writer();
        writer.clone().close().await
    }
}

/// All connections less the writer and one reader, but at least one.
fn scans(max_connections: u32) -> Arc<Semaphore> {
    let turns = max_connections.saturating_sub(2).max(1);
    Arc::new(Semaphore::new(turns as usize))
}

/// Creates a missing database file readable by its owner only, because it will hold addresses. SQLite gives its
/// logs the same mode. An existing file keeps its mode.
fn keep_private(file: &Path) {
    let mut options = std::fs::OpenOptions::new();
    // If this fails, SQLite's own error will say why the file cannot be opened.
    let _ = options.write(true).create_new(true).mode(0o600).open(file);
}

async fn sqlite_pool(
    url: &Secret,
    connections: u32,
    read_only: bool,
) -> Result<DatabaseConnection, OpenError> {
    let mut options = ConnectOptions::new(url.expose());
    quiet(&mut options)
        .max_connections(connections)
        // The one writer must not be recycled under load, and idle readers are cheap.
        .min_connections(1)
        .idle_timeout(None::<Duration>)
        .max_lifetime(None::<Duration>)
        .acquire_timeout(Duration::from_secs(30))
        // After some errors (a full disk) SQLite ends the transaction itself. The driver's ROLLBACK then fails, and
        // the driver still believes in a transaction: whatever follows would be savepoints that nobody ever
        // commits.
        .map_sqlx_sqlite_before_acquire(|connection, _| {
            Box::pin(async move { Ok(!connection.is_in_transaction()) })
        })
        .map_sqlx_sqlite_opts(move |o| {
            let o = o
                .create_if_missing(!read_only)
                .foreign_keys(true)
                .busy_timeout(BUSY)
                .pragma("journal_mode", "WAL")
                .pragma("synchronous", "FULL")
                // In KB; the rest is served from the system's page cache. With a larger cache every reader would
                // keep its own copy of a large table. The writer touches neighbouring pages, because keys begin
                // with a time.
                .pragma("cache_size", if read_only { "-400" } else { "-3000" })
                .pragma("temp_store", "MEMORY")
                .pragma("wal_autocheckpoint", "2000")
                .pragma("journal_size_limit", "67108864")
                .pragma("trusted_schema", "OFF")
                // Freed space is overwritten with zeros: see `scrub`.
                .pragma("secure_delete", "ON");
            if read_only {
                let o = o.statement_cache_capacity(READERS_STATEMENTS);
                // Not read_only(true): readers of a WAL database must be able to write the shared-memory index.
                o.pragma("query_only", "ON")
            } else {
                o
            }
        });
    Database::connect(options).await.map_err(OpenError::Connect)
}

fn quiet(options: &mut ConnectOptions) -> &mut ConnectOptions {
    options.sqlx_logging(false).test_before_acquire(false)
}

fn version(text: &str) -> (u32, u32, u32) {
    let mut parts = text.split('.').map(|p| p.parse().unwrap_or(0));
    let mut next = || parts.next().unwrap_or(0);
    (next(), next(), next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        assert!(version("3.51.3") >= OLDEST_SQLITE);
        assert!(version("3.9.12") < OLDEST_SQLITE);
        assert!(version("3.52.0") >= OLDEST_SQLITE);
        assert!(version("nonsense") < OLDEST_SQLITE);
    }
}
