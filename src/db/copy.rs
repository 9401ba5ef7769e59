//! Copies of a database in use, and the checks before a copy is trusted.

use std::path::{Path, PathBuf};

use sea_orm::{ConnectionTrait, DbErr, TransactionTrait, Value};

use super::migrate::lock_schema;
use super::{Backend, Db, WriteTxn, fetch_all, fetch_one, run};

/// Where a restore puts the new SQLite database, complete, while it moves the old one and its logs aside. If the
/// restore was interrupted there, the file in place and the logs beside it may not belong together; nothing may be
/// served while this file exists.
#[must_use]
pub fn restored_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".restored");
    name.into()
}

/// The table that marks a PostgreSQL database while a backup is being restored into it.
const MARK: &str = "restore_unfinished";

/// Drops every table.
const TAKE_OUT: &str = "DO $$ DECLARE name TEXT; BEGIN \
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() LOOP \
    EXECUTE format('DROP TABLE %I CASCADE', name); END LOOP; END $$";

impl Db {
    /// Writes a snapshot of a SQLite database to `file`, which must not exist or be empty. Readers and writers are
    /// not blocked: it only holds a read transaction. The copy does not contain deleted data.
    ///
    /// # Errors
    /// The error of SQLite; `file` is then useless.
    pub async fn copy_into(&self, file: &Path) -> Result<(), DbErr> {
        let file: Value = file.display().to_string().into();
        run(&*self.writer(), "VACUUM INTO $1", [file])
            .await
            .map(drop)
    }

    /// Checks that every page of a SQLite database is intact, and that Canvass made it.
    ///
    /// # Errors
    /// A description of the defect.
    pub async fn look_over(&self) -> Result<(), DbErr> {
        let rows = fetch_all(self.read(), "PRAGMA quick_check(1)", []).await?;
        let said: String = match rows.first() {
            Some(row) => row.try_get_by_index(0)?,
            None => "nothing".to_owned(),
        };
        if said != "ok" {
            return Err(DbErr::Custom(said));
        }
        let sql = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name IN ('seaql_migrations', 'poll', 'reader')";
        if count(self, sql).await? == 3 {
            Ok(())
        } else {
            Err(DbErr::Custom("it is no database of Canvass".to_owned()))
        }
    }

    /// Whether a restore into this database was begun and not finished, so that its content must not be served. For
    /// SQLite see [`restored_file`].
    pub async fn restore_begun(&self) -> Result<bool, DbErr> {
        match self.backend() {
            Backend::Sqlite => Ok(false),
            Backend::Postgres => is_marked(self.read()).await,
        }
    }

    /// Marks an empty PostgreSQL database as being restored; one with an unfinished restore is emptied first.
    /// Returns false if the database has other tables. Takes the migration lock: a server that starts at the same
    /// time has either created its tables before this looks, or finds the mark.
    pub async fn begin_restore(&self) -> Result<bool, DbErr> {
        // Not `write_txn`, whose commit needs one of our tables.
        let txn = self.writer().begin().await?;
        lock_schema(&txn).await?;
        if is_marked(&txn).await? {
            txn.execute_unprepared(TAKE_OUT).await?;
        }
        let sql = "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema()";
        let row = fetch_one(&txn, sql, []).await?;
        let tables: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
        if tables > 0 {
            return Ok(false);
        }
        txn.execute_unprepared(&format!("CREATE TABLE {MARK} ()"))
            .await?;
        txn.commit().await?;
        Ok(true)
    }

    /// Removes everything that an unfinished restore has brought into the database, and the mark with it.
    ///
    /// # Errors
    /// The error of the database; nothing was removed then.
    pub async fn undo_restore(&self) -> Result<(), DbErr> {
        self.writer().execute_unprepared(TAKE_OUT).await.map(drop)
    }

    /// How many other clients are connected to this PostgreSQL database. Always 0 on SQLite, whose file is locked.
    pub async fn others_connected(&self) -> Result<i64, DbErr> {
        match self.backend() {
            Backend::Sqlite => Ok(0),
            Backend::Postgres => {
                let sql = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
                           AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
                count(self, sql).await
            }
        }
    }

    /// Moves everything from the write-ahead log into the database file.
    ///
    /// # Errors
    /// The error of SQLite.
    pub async fn settle(&self) -> Result<(), DbErr> {
        self.writer()
            .execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)")
            .await
            .map(drop)
    }
}

/// Whether the mark of [`Db::begin_restore`] is there.
///
/// # Errors
/// The error of PostgreSQL.
pub(super) async fn is_marked(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    let sql = "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1";
    Ok(fetch_one(db, sql, [MARK.into()]).await?.is_some())
}

/// Removes the mark of [`Db::begin_restore`], if there is one, as part of `txn`.
pub async fn end_restore(db: &Db, txn: &WriteTxn) -> Result<(), DbErr> {
    if db.backend() == Backend::Sqlite {
        return Ok(());
    }
    run(&**txn, format!("DROP TABLE IF EXISTS {MARK}"), [])
        .await
        .map(drop)
}

async fn count(db: &Db, sql: &'static str) -> Result<i64, DbErr> {
    let row = fetch_one(db.read(), sql, []).await?;
    row.map_or(Ok(0), |row| row.try_get_by_index(0))
}
