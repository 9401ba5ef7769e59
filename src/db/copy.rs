//! Copies of a database in use: made whole, and looked at before they are believed.

use std::path::{Path, PathBuf};

use sea_orm::{ConnectionTrait, DbErr, TransactionTrait, Value};

use super::migrate::lock_schema;
use super::{Backend, Db, WriteTxn, fetch_all, fetch_one, run};

/// Where a restored SQLite database lies, whole, while what was in its place and the logs of that are set aside. A restore that ended
/// there left neither the old database with its log nor the new one: while this is there, nothing may be served.
#[must_use]
pub fn restored_file(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".restored");
    name.into()
}

/// Stands in a PostgreSQL database while a backup is restored into it.
const MARK: &str = "restore_unfinished";

/// Drops every table.
const TAKE_OUT: &str = "DO $$ DECLARE name TEXT; BEGIN \
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() LOOP \
    EXECUTE format('DROP TABLE %I CASCADE', name); END LOOP; END $$";

impl Db {
    /// Writes one moment of a SQLite database to `file`, which does not exist or is empty. Readers and writers go on meanwhile: it
    /// holds no more than a read transaction. What is deleted in the database is not in the copy.
    ///
    /// # Errors
    /// What SQLite said; `file` is then of no use.
    pub async fn copy_into(&self, file: &Path) -> Result<(), DbErr> {
        let file: Value = file.display().to_string().into();
        run(&*self.writer(), "VACUUM INTO $1", [file])
            .await
            .map(drop)
    }

    /// Whether every page of a SQLite database is as it should be, and it is one of ours.
    ///
    /// # Errors
    /// What is wrong with it.
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

    /// Whether a restore has begun here and has not come to its end: what is in the database must not be served. For SQLite see
    /// [`restored_file`].
    pub async fn restore_begun(&self) -> Result<bool, DbErr> {
        match self.backend() {
            Backend::Sqlite => Ok(false),
            Backend::Postgres => is_marked(self.read()).await,
        }
    }

    /// Marks an empty PostgreSQL database as one that is being restored; one in which a restore was not finished is emptied first. False:
    /// it has tables. Under the lock of migrations: a server that starts now makes its tables before this looks, or finds the mark.
    pub async fn begin_restore(&self) -> Result<bool, DbErr> {
        // Not `write_txn`, whose commit needs a table of ours.
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

    /// Takes all that an unfinished restore has brought out of the database again, and the mark with it.
    ///
    /// # Errors
    /// What the database said; then nothing is taken out.
    pub async fn undo_restore(&self) -> Result<(), DbErr> {
        self.writer().execute_unprepared(TAKE_OUT).await.map(drop)
    }

    /// How many others are connected to this database, on PostgreSQL. Nobody can be on SQLite, whose file is locked.
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

    /// Brings everything from the write-ahead log into the file.
    ///
    /// # Errors
    /// What SQLite said.
    pub async fn settle(&self) -> Result<(), DbErr> {
        self.writer()
            .execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)")
            .await
            .map(drop)
    }
}

/// Whether the mark of [`Db::begin_restore`] stands.
///
/// # Errors
/// What PostgreSQL said.
pub(super) async fn is_marked(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    let sql = "SELECT 1 FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1";
    Ok(fetch_one(db, sql, [MARK.into()]).await?.is_some())
}

/// Takes the mark of [`Db::begin_restore`] away, where there is one, with all that `txn` does.
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
