//! How a process gets the database: with exclusive use where that is needed, and with the schema that it knows.

use std::path::{Path, absolute};
use std::time::Duration;

use sea_orm::DbErr;
use tokio::time::{Instant, sleep};

use super::lock::{FileLock, LockError};
use super::migrate::{MigrateError, is_new, migrate, up_to_date};
use super::{Db, OpenError, restored_file};
use crate::config::Config;

/// How the process uses the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Serves requests and sends mail. On SQLite it must be the only server; it migrates the schema.
    Server,
    /// A command that runs beside servers and must not change their schema. It migrates only a database that nobody
    /// else can be using (on SQLite while no server holds the file, on PostgreSQL an empty database); otherwise the
    /// schema must be up to date.
    Tool,
}

/// Why a process does not get the database.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// Another process holds the SQLite database, or its directory is unusable.
    #[error("{0}")]
    Lock(#[from] LockError),
    /// The database cannot be used.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// The schema cannot be used.
    #[error("{0}")]
    Migrate(#[from] MigrateError),
    /// The database failed.
    #[error("{0}")]
    Db(#[from] DbErr),
}

/// How long a server waits for the database lock: a command may hold it while it migrates the schema.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);

/// Opens the database, makes sure that its schema is up to date, and on SQLite takes the lock for a server. Only
/// one server may use a SQLite file. A tool takes the lock only to migrate, and does without it while a server
/// holds it. On PostgreSQL a tool migrates only an empty database.
///
/// # Errors
/// [`AccessError`].
pub async fn access(config: &Config, role: Role) -> Result<(Db, Option<FileLock>), AccessError> {
    let url = config.database_url();
    let connections = config.database_connections();
    let Some(file) = config.database_file() else {
        let db = Db::open(&url, connections).await?;
        if db.restore_begun().await? {
            return Err(MigrateError::Restoring.into());
        }
        // There is no way to know whether a server is running somewhere.
        if role == Role::Server || is_new(&db).await? {
            migrate(&db).await?;
        } else {
            up_to_date(&db).await?;
        }
        return Ok((db, None));
    };
    let patience = match role {
        Role::Server => LOCK_PATIENCE,
        Role::Tool => Duration::ZERO,
    };
    match locked(&file, patience).await {
        Ok(lock) => {
            if restored_file(&file).exists() {
                return Err(MigrateError::Restoring.into());
            }
            let is_new = !file.exists();
            let db = Db::open(&url, connections).await?;
            migrate(&db).await?;
            if is_new {
                // In the wrong directory, a command would otherwise silently work on a second database.
                let file = absolute(&file).unwrap_or(file);
                tracing::info!(file = %file.display(), "a new database was made");
            }
            Ok((db, Some(lock).filter(|_| role == Role::Server)))
        }
        Err(LockError::Held(_)) if role == Role::Tool => {
            let db = Db::open(&url, connections).await?;
            up_to_date(&db).await?;
            Ok((db, None))
        }
        Err(error) => Err(error.into()),
    }
}

async fn locked(file: &Path, patience: Duration) -> Result<FileLock, LockError> {
    const LOOK: Duration = Duration::from_millis(100);
    let until = Instant::now() + patience;
    loop {
        match FileLock::take(file) {
            Err(LockError::Held(_)) if Instant::now() < until => sleep(LOOK).await,
            taken => return taken,
        }
    }
}
