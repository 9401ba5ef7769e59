//! Removal of deleted data from the database files.
//!
//! A deleted row leaves its bytes behind: in unused parts of pages, in free pages, in the write-ahead log, in dead
//! row versions. If data must be unrecoverable, the tables that held it are rewritten and the old pages
//! overwritten.
//!
//! - SQLite: every write zeroes what it frees (`secure_delete`), but pages that were split keep copies in their
//!   unused parts. So a table is copied in key order into a new one and the old one is dropped, which zeroes all
//!   its pages ([`anew`]). Then the log is checkpointed and truncated.
//! - PostgreSQL: `VACUUM FULL` writes a table into a new file and removes the old one. It copies what was deleted, too,
//!   as long as a transaction might see it, so the older ones are waited for: those of the whole cluster, prepared ones
//!   and those of replicas that report theirs. Archived write-ahead logs, replicas and backups are the operator's
//!   responsibility.

mod anew;

use std::time::Duration;

use sea_orm::sqlx::{self, AssertSqlSafe, Row as _};
use sea_orm::{ConnectionTrait, DbErr, RuntimeErr};

use super::connect::BUSY;
use super::{Backend, Db};

/// How long to wait for readers of the log, or on PostgreSQL for a table lock. Ballots wait during this time.
const PATIENCE: Duration = Duration::from_millis(500);

/// "scrub" in ASCII: the key of a PostgreSQL advisory lock, so that only one node does it.
const LOCK: i64 = 0x73_63_72_75_62;

impl Db {
    /// Rewrites `tables` and overwrites the space they occupied. Returns false if an older transaction is still
    /// running or holds a table; call it again then. It is idempotent. No other table may reference these.
    ///
    /// `deleters` is a table and a condition: rows that each of the deleting transactions has written, the last of
    /// which is the one that others must not be older than.
    pub async fn scrub(
        &self,
        tables: &[&'static str],
        deleters: &'static str,
    ) -> Result<bool, DbErr> {
        match self.backend() {
            Backend::Sqlite => {
                // While a reader needs the log, it can only grow: by all these tables with each attempt.
                if !self.cut_log(PATIENCE).await? {
                    return Ok(false);
                }
                for table in tables {
                    anew::rewrite(self, table).await?;
                }
                self.cut_log(PATIENCE).await
            }
            Backend::Postgres => self.rewrite_postgres(tables, deleters).await,
        }
    }

    /// Removes what a scrub that was killed has left on SQLite.
    pub(super) async fn end_scrub(&self) -> Result<(), DbErr> {
        match self.backend() {
            Backend::Sqlite => anew::clear_all(self).await,
            Backend::Postgres => Ok(()),
        }
    }

    /// Checkpoints the write-ahead log and truncates it, unless a reader still needs it after `patience`. Nobody
    /// can write meanwhile.
    pub(super) async fn cut_log(&self, patience: Duration) -> Result<bool, DbErr> {
        let mut connection = self.kept_writer().await?;
        let cut = cut(&mut connection, patience).await;
        match cut {
            Ok(_) => self.keep_writer(connection),
            // Its busy timeout may still be the short one set for this.
            Err(_) => connection.close_on_drop(),
        }
        cut.map_err(|error| DbErr::Exec(RuntimeErr::SqlxError(error.into())))
    }

    async fn rewrite_postgres(
        &self,
        tables: &[&'static str],
        deleters: &'static str,
    ) -> Result<bool, DbErr> {
        // VACUUM cannot run in a transaction, and the settings are for one connection, which is closed afterwards.
        let writer = self.writer();
        let pool = writer.get_postgres_connection_pool();
        let mut connection = pool.acquire().await.map_err(failed)?;
        let done = rewrite(&mut connection, tables, deleters).await;
        connection.close().await.map_err(failed)?;
        match done {
            Err(error) if is_taken(&error) => Ok(false),
            done => done.map_err(failed),
        }
    }

    /// Rewrites the whole file of a SQLite database. Needs as much free space as the file, and blocks the only
    /// writer meanwhile.
    pub(super) async fn rewrite_whole(&self) -> Result<(), DbErr> {
        for sql in [
            "PRAGMA temp_store = FILE",
            "VACUUM",
            "PRAGMA temp_store = MEMORY",
        ] {
            self.writer().execute_unprepared(sql).await?;
        }
        self.cut_log(PATIENCE).await.map(drop)
    }
}

async fn cut(
    connection: &mut sqlx::SqliteConnection,
    patience: Duration,
) -> Result<bool, sqlx::Error> {
    let patience = format!("PRAGMA busy_timeout = {}", patience.as_millis());
    sqlx::raw_sql(AssertSqlSafe(patience))
        .execute(&mut *connection)
        .await?;
    let row = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .fetch_one(&mut *connection)
        .await?;
    let usual = format!("PRAGMA busy_timeout = {}", BUSY.as_millis());
    sqlx::raw_sql(AssertSqlSafe(usual))
        .execute(&mut *connection)
        .await?;
    Ok(row.try_get::<i64, _>("busy")? == 0)
}

async fn rewrite(
    connection: &mut sqlx::PgConnection,
    tables: &[&'static str],
    deleters: &'static str,
) -> Result<bool, sqlx::Error> {
    let lock = format!("SELECT pg_try_advisory_lock({LOCK})");
    let row = sqlx::query(AssertSqlSafe(lock))
        .fetch_one(&mut *connection)
        .await?;
    if !row.try_get::<bool, _>(0)? {
        return Ok(false);
    }
    if !nobody_sees_them(connection, deleters).await? {
        return Ok(false);
    }
    let patience = format!("SET lock_timeout = {}", PATIENCE.as_millis());
    sqlx::query(AssertSqlSafe(patience))
        .execute(&mut *connection)
        .await?;
    for table in tables {
        sqlx::query(AssertSqlSafe(format!("VACUUM (FULL) {table}")))
            .execute(&mut *connection)
            .await?;
    }
    Ok(true)
}

/// Waits until no transaction can see what the last of the `deleters` has deleted.
///
/// These keep dead rows, and VACUUM FULL copies them: a transaction with an older number anywhere in the cluster, also a
/// prepared one, because it is in VACUUM's own snapshot; an older snapshot in this database, or of a replica (without a
/// database); and what a replication slot holds. A VACUUM that is running counts for none of them.
async fn nobody_sees_them(
    connection: &mut sqlx::PgConnection,
    deleters: &'static str,
) -> Result<bool, sqlx::Error> {
    let last = format!("SELECT xmin::text FROM {deleters} ORDER BY age(xmin) LIMIT 1");
    let last = sqlx::query(AssertSqlSafe(last))
        .fetch_optional(&mut *connection)
        .await?;
    let Some(last) = last else {
        // Another node has done it.
        return Ok(false);
    };
    let last: String = last.try_get(0)?;
    let alone = format!(
        "SELECT age(pg_snapshot_xmin(pg_current_snapshot())::xid) < age('{last}'::xid) \
         AND NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid <> pg_backend_pid() \
           AND (datname = current_database() OR datname IS NULL) AND age(backend_xmin) >= age('{last}'::xid) \
           AND pid NOT IN (SELECT pid FROM pg_stat_progress_vacuum)) \
         AND NOT EXISTS (SELECT 1 FROM pg_replication_slots WHERE age(xmin) >= age('{last}'::xid))"
    );
    for _ in 0..20 {
        let row = sqlx::query(AssertSqlSafe(alone.clone()))
            .fetch_one(&mut *connection)
            .await?;
        if row.try_get::<bool, _>(0)? {
            return Ok(true);
        }
        tokio::time::sleep(PATIENCE / 10).await;
    }
    Ok(false)
}

/// Whether the table was locked by somebody else (`lock_not_available`).
fn is_taken(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(|error| error.code())
        .is_some_and(|code| code == "55P03")
}

fn failed(error: sqlx::Error) -> DbErr {
    DbErr::Custom(format!("a table could not be written anew: {error}"))
}
