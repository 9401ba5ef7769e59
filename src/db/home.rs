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

use super::{Backend, Db, WriteTxn, fetch_one, find_value, run};

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

/// In place of the time when a file was created, if the system does not tell it.
const UNTOLD: &str = "0";

fn place_of(file: &Path) -> Option<String> {
    let there = std::fs::metadata(file).ok()?;
    let created = there.created().ok();
    let created = created.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let created = created.map_or_else(|| UNTOLD.to_owned(), |at| at.as_nanos().to_string());
    Some(format!("{} {created}", there.ino()))
}

/// Whether both are one place. Another kernel may tell the time when a file was created, or no longer tell it: then the
/// inode has to do.
fn are_one(place: &str, other: &str) -> bool {
    match (place.split_once(' '), other.split_once(' ')) {
        (Some((inode, created)), Some((other_inode, other_created)))
            if [created, other_created].contains(&UNTOLD) =>
        {
            inode == other_inode
        }
        _ => place == other,
    }
}

/// Notes that the database is in `place`. Returns whether it was elsewhere before; of several nodes that start at
/// once, one gets true.
pub async fn note_place(txn: &WriteTxn, place: &str) -> Result<bool, DbErr> {
    let noted = "SELECT value FROM setting WHERE name = 'home'";
    let Some(noted) = find_value::<String>(&**txn, noted, []).await? else {
        let first =
            "INSERT INTO setting (name, value) VALUES ('home', $1) ON CONFLICT (name) DO NOTHING";
        run(&**txn, first, [Value::from(place)]).await?;
        return Ok(false);
    };
    let moved = !are_one(place, &noted);
    let change = "UPDATE setting SET value = $1 WHERE name = 'home' AND value = $2 AND value <> $1";
    let values = [Value::from(place), Value::from(noted)];
    let changed = run(&**txn, change, values).await?;
    Ok(moved && changed.rows_affected() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_creation_counts_if_it_is_told_both_times() {
        for (place, other, expected) in [
            ("7 100", "7 100", true),
            ("7 100", "7 200", false),
            ("7 0", "7 100", true),
            ("7 100", "7 0", true),
            ("7 0", "8 100", false),
            ("7 0", "8 0", false),
        ] {
            assert_eq!(are_one(place, other), expected, "{place}, {other}");
        }
    }
}
