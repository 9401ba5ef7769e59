//! Where the database is. A copy, or a database that was put back by other means than `canvass restore`, believes that
//! mails are due which the original has sent since. A server compares its place with that of the last start.
//!
//! The place of a SQLite file is its inode and the time when it was created: a copy has others, while a file that was
//! renamed keeps them, and so does one on a volume that got another path or device number. The place of a PostgreSQL
//! database is the cluster's identifier and the database's. Neither tells when the content was replaced in place: by
//! overwriting the file, from a snapshot of a whole disk, or by recovering a cluster to an earlier time.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

use sea_orm::{DbErr, Value};

use super::{Backend, Db, WriteTxn, fetch_one, run};

impl Db {
    /// Identifies the place of this database; `None` if it has none, like one in memory, or if the server does not tell
    /// it: some hosts do not let their users ask.
    pub async fn place(&self) -> Result<Option<String>, DbErr> {
        if self.backend() == Backend::Sqlite {
            return Ok(self.health().path().and_then(place_of));
        }
        let sql = "SELECT CAST(system_identifier AS TEXT) || ' ' || CAST(oid AS TEXT) \
                   FROM pg_control_system(), pg_database WHERE datname = current_database()";
        let row = match fetch_one(self.read(), sql, []).await {
            Ok(row) => row,
            Err(error) => {
                tracing::warn!(%error, "the server does not identify itself: a copy of this database will not be noticed");
                return Ok(None);
            }
        };
        row.map(|row| row.try_get_by_index(0)).transpose()
    }
}

fn place_of(file: &Path) -> Option<String> {
    let there = std::fs::metadata(file).ok()?;
    // Not every file system knows it.
    let created = there.created().ok();
    let created = created.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let created = created.map_or(0, |at| at.as_nanos());
    Some(format!("{} {created}", there.ino()))
}

/// Notes that the database is in `place`. Returns whether it was elsewhere before; of several nodes that start at
/// once, one gets true.
pub async fn note_place(txn: &WriteTxn, place: &str) -> Result<bool, DbErr> {
    let change = "UPDATE setting SET value = $1 WHERE name = 'home' AND value <> $1";
    let changed = run(&**txn, change, [Value::from(place)]).await?;
    if changed.rows_affected() > 0 {
        return Ok(true);
    }
    let first =
        "INSERT INTO setting (name, value) VALUES ('home', $1) ON CONFLICT (name) DO NOTHING";
    run(&**txn, first, [Value::from(place)]).await?;
    Ok(false)
}
