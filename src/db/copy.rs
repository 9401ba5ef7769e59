//! Copies of a database in use: made whole, and looked at before they are believed.

use std::path::Path;

use sea_orm::{ConnectionTrait, DbErr, Value};

use super::{Backend, Db, fetch_all, fetch_one, run};

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

async fn count(db: &Db, sql: &'static str) -> Result<i64, DbErr> {
    let row = fetch_one(db.read(), sql, []).await?;
    row.map_or(Ok(0), |row| row.try_get_by_index(0))
}
