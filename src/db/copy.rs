//! Copies of a database in use: made whole, and looked at before they are believed.

use std::path::Path;

use sea_orm::{ConnectionTrait, DbErr, Value};

use super::{Backend, Db, WriteTxn, fetch_all, fetch_one, run};

/// Stands in a PostgreSQL database while a backup is restored into it.
const MARK: &str = "restore_unfinished";

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

    /// Whether there is no table yet, on PostgreSQL.
    ///
    /// # Errors
    /// What the database said.
    pub async fn is_empty(&self) -> Result<bool, DbErr> {
        let sql =
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema()";
        Ok(count(self, sql).await? == 0)
    }

    /// Whether a restore has begun here and has not come to its end: what is in the database must not be served. Never on SQLite, where
    /// the whole file is put in its place at the end.
    ///
    /// # Errors
    /// What the database said.
    pub async fn restore_begun(&self) -> Result<bool, DbErr> {
        if self.backend() == Backend::Sqlite {
            return Ok(false);
        }
        let sql =
            "SELECT COUNT(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename = $1";
        let row = fetch_one(self.read(), sql, [MARK.into()]).await?;
        let found: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0))?;
        Ok(found > 0)
    }

    /// Marks an empty PostgreSQL database as one that is being restored.
    ///
    /// # Errors
    /// What the database said.
    pub async fn begin_restore(&self) -> Result<(), DbErr> {
        let sql = format!("CREATE TABLE {MARK} ()");
        self.writer().execute_unprepared(&sql).await.map(drop)
    }

    /// Takes all that an unfinished restore has brought out of the database again, and the mark with it.
    ///
    /// # Errors
    /// What the database said; then nothing is taken out.
    pub async fn undo_restore(&self) -> Result<(), DbErr> {
        let sql = "DO $$ DECLARE name TEXT; BEGIN \
                   FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = current_schema() LOOP \
                   EXECUTE format('DROP TABLE %I CASCADE', name); END LOOP; END $$";
        self.writer().execute_unprepared(sql).await.map(drop)
    }

    /// How many others are connected to this database, on PostgreSQL. Nobody can be on SQLite, whose directory is locked.
    ///
    /// # Errors
    /// What the database said.
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

/// Takes the mark of [`Db::begin_restore`] away, where there is one, with all that `txn` does.
///
/// # Errors
/// What the database said.
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
