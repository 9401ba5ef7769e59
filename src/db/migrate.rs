//! Bringing the schema up to date.

use canvass_migrations::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DbErr};

use super::copy::is_marked;
use super::{Backend, Db, fetch_all, run};

/// A schema that cannot be used or brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database was written by a newer Canvass.
    #[error(
        "the database is from a newer version of Canvass (it has the migration {0}); \
         start that version, or restore a backup made by this version"
    )]
    Newer(String),
    /// The schema is older, and must not be changed while a server may be using it.
    #[error(
        "the schema is from an older version, and a server may be using it; restart the servers with this version, or run `canvass migrate`"
    )]
    Outdated,
    /// The restore of a backup into this database was not finished.
    #[error(
        "restoring a backup into this database was not finished; run `canvass restore FILE` again"
    )]
    Restoring,
    /// A migration failed; nothing of it was kept.
    #[error("the schema could not be brought up to date; nothing was changed: {0}")]
    Failed(#[from] DbErr),
}

/// "canvass" in ASCII: the key of the PostgreSQL advisory lock that migrations hold.
const LOCK: i64 = 0x63_61_6e_76_61_73_73;

/// Applies the missing migrations in one transaction, under a lock: if several nodes start at once, one migrates,
/// and the others wait and find nothing to do. Returns the names of the applied migrations.
///
/// # Errors
/// [`MigrateError`].
pub async fn migrate(db: &Db) -> Result<Vec<String>, MigrateError> {
    apply(db, false).await
}

/// Like [`migrate`], but also during a restore, for the restore itself.
///
/// # Errors
/// [`MigrateError`].
pub async fn migrate_restored(db: &Db) -> Result<Vec<String>, MigrateError> {
    apply(db, true).await
}

/// Keeps others from changing the schema of a PostgreSQL database until `txn` ends.
pub(super) async fn lock_schema(txn: &impl ConnectionTrait) -> Result<(), DbErr> {
    let sql = format!("SELECT pg_advisory_xact_lock({LOCK})");
    run(txn, sql, []).await.map(drop)
}

async fn apply(db: &Db, restoring: bool) -> Result<Vec<String>, MigrateError> {
    if matches!(up_to_date(db).await, Err(MigrateError::Outdated)) {
        // No column can be dropped that its triggers name.
        db.end_scrub().await?;
    }
    let txn = db.write_txn("migrate").await?;
    if db.backend() == Backend::Postgres {
        lock_schema(&*txn).await?;
        if !restoring && is_marked(&*txn).await? {
            return Err(MigrateError::Restoring);
        }
    }
    Migrator::install(&*txn).await?;
    let applied = applied(&*txn).await?;
    let known: Vec<String> = Migrator::migrations()
        .iter()
        .map(|m| m.name().to_string())
        .collect();
    if let Some(newer) = applied.iter().find(|name| !known.contains(name)) {
        return Err(MigrateError::Newer(newer.clone()));
    }
    let missing: Vec<String> = known
        .into_iter()
        .filter(|name| !applied.contains(name))
        .collect();
    Migrator::up(&**txn, None).await?;
    txn.commit().await?;
    // Earlier versions left deleted data in the unused parts of the file.
    let left = !applied.is_empty() && missing.iter().any(|name| name == "m0013_sealing");
    if left && db.backend() == Backend::Sqlite {
        db.rewrite_whole().await?;
    }
    Ok(missing)
}

/// Checks, without changing anything, that the schema is exactly that of this version.
///
/// # Errors
/// [`MigrateError`].
pub async fn up_to_date(db: &Db) -> Result<(), MigrateError> {
    let applied = applied(db.read()).await?;
    let known = Migrator::migrations();
    if let Some(newer) = applied
        .iter()
        .find(|name| !known.iter().any(|m| m.name() == name.as_str()))
    {
        return Err(MigrateError::Newer(newer.clone()));
    }
    if applied.len() < known.len() {
        return Err(MigrateError::Outdated);
    }
    Ok(())
}

/// Whether no version of Canvass has used this database yet.
///
/// # Errors
/// The error of the database.
pub async fn is_new(db: &Db) -> Result<bool, DbErr> {
    let sql = match db.backend() {
        Backend::Sqlite => "SELECT 1 FROM sqlite_schema WHERE name = 'seaql_migrations'",
        Backend::Postgres => "SELECT 1 WHERE to_regclass('seaql_migrations') IS NOT NULL",
    };
    Ok(fetch_all(db.read(), sql, []).await?.is_empty())
}

async fn applied<C: ConnectionTrait>(db: &C) -> Result<Vec<String>, DbErr> {
    fetch_all(
        db,
        "SELECT version FROM seaql_migrations ORDER BY version",
        [],
    )
    .await?
    .iter()
    .map(|row| row.try_get_by_index(0))
    .collect()
}
