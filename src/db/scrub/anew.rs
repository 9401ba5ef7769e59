//! A SQLite table is written anew, so that nothing of what was deleted from it is left in unused parts of its pages.
//!
//! A short table is copied in one transaction, the old one is dropped and the copy takes its name. A long one is copied
//! a piece at a time, because votes wait for the one writer. Until the names change, triggers repeat in the copy what
//! others write. Afterwards the old rows are deleted a piece at a time, too: `secure_delete` zeroes each page that they
//! leave, and the rest when the table is dropped. Until then, triggers delete the old row of whatever is changed or
//! deleted, so that no linked answer outlives its erasure. What a killed process leaves behind is removed first of all.
//!
//! A further index is built when the names change, in one go: row by row, the pages that it splits would keep copies.

use sea_orm::{ConnectionTrait as _, DbErr};

use crate::config::crash_point;
use crate::db::{Db, WriteTxn, fetch_all_as, find_value, find_values};

/// Rows per transaction.
const PIECE: usize = 2_000;

/// What is needed to create a table once more.
struct Table {
    name: &'static str,
    /// Its definition from the first column on.
    columns: String,
    names: Vec<String>,
    /// The columns of its primary key.
    key: Vec<String>,
    indexes: Vec<Index>,
}

/// A further index.
struct Index {
    name: String,
    sql: String,
}

/// Writes a table anew.
pub(super) async fn rewrite(db: &Db, name: &'static str) -> Result<(), DbErr> {
    clear(db, name).await?;
    let txn = db.write_txn("scrub").await?;
    let table = Table::read(&txn, name).await?;
    let is_long = end_of_piece(&txn, name, &table.key, None).await?.is_some();
    if !is_long {
        table.at_once(&txn).await?;
        return txn.commit().await;
    }
    table.begin_copy(&txn).await?;
    txn.commit().await?;
    crash_point("scrub_copy_begun");
    table.copy(db).await?;
    table.compare(db).await?;
    let txn = db.write_txn("scrub").await?;
    table.take_its_place(&txn).await?;
    txn.commit().await?;
    crash_point("scrub_names_changed");
    clear(db, name).await
}

/// Removes what earlier attempts have left of any table.
pub(super) async fn clear_all(db: &Db) -> Result<(), DbErr> {
    let sql = "SELECT t.name FROM sqlite_master t WHERE t.type = 'table' AND EXISTS (SELECT 1 FROM sqlite_master l \
               WHERE l.type = 'table' AND l.name IN (t.name || '_anew', t.name || '_old'))";
    let names: Vec<String> = find_values(db.read(), sql, []).await?;
    for name in names {
        clear(db, &name).await?;
    }
    Ok(())
}

/// Removes what an earlier attempt has left.
async fn clear(db: &Db, name: &str) -> Result<(), DbErr> {
    let txn = db.write_txn("scrub").await?;
    drop_triggers(&txn, &format!("{name}_anew")).await?;
    txn.commit().await?;
    for left in [format!("{name}_anew"), format!("{name}_old")] {
        let sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name = $1";
        let there: Option<String> = find_value(db.read(), sql, [left.clone().into()]).await?;
        if there.is_some() {
            remove(db, &left).await?;
        }
    }
    Ok(())
}

/// Deletes all rows of a table, and then the table and the triggers that write to it.
async fn remove(db: &Db, name: &str) -> Result<(), DbErr> {
    loop {
        let txn = db.write_txn("scrub").await?;
        let key = key_of(&txn, name).await?;
        let upto = end_of_piece(&txn, name, &key, None).await?;
        let sql = match &upto {
            Some(upto) => format!("DELETE FROM {name} WHERE ({}) <= ({upto})", key.join(", ")),
            None => {
                drop_triggers(&txn, name).await?;
                format!("DROP TABLE {name}")
            }
        };
        txn.execute_unprepared(&sql).await?;
        txn.commit().await?;
        crash_point("scrub_piece_removed");
        if upto.is_none() {
            return Ok(());
        }
    }
}

/// Drops the triggers that write to a copy or to an old table.
async fn drop_triggers(txn: &WriteTxn, into: &str) -> Result<(), DbErr> {
    for change in ["insert", "update", "delete"] {
        txn.execute_unprepared(&format!("DROP TRIGGER IF EXISTS {into}_{change}"))
            .await?;
    }
    Ok(())
}

async fn key_of(txn: &WriteTxn, name: &str) -> Result<Vec<String>, DbErr> {
    let sql = "SELECT name FROM pragma_table_info($1) WHERE pk > 0 ORDER BY pk";
    fetch_all_as(&**txn, sql, [name.into()], |row| row.try_get("", "name")).await
}

/// The key of the last row of the next piece, as SQL; `None`: the rest is no longer than a piece.
async fn end_of_piece(
    txn: &WriteTxn,
    name: &str,
    key: &[String],
    after: Option<&str>,
) -> Result<Option<String>, DbErr> {
    let quoted: Vec<String> = key
        .iter()
        .map(|column| format!("quote({column})"))
        .collect();
    let (quoted, key) = (quoted.join(" || ', ' || "), key.join(", "));
    let from = after.map_or_else(String::new, |after| format!(" WHERE ({key}) > ({after})"));
    let sql = format!("SELECT {quoted} FROM {name}{from} ORDER BY {key} LIMIT 1 OFFSET {PIECE}");
    find_value(&**txn, sql, []).await
}

impl Table {
    async fn read(txn: &WriteTxn, name: &'static str) -> Result<Self, DbErr> {
        let table = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = $1";
        let table: Option<String> = find_value(&**txn, table, [name.into()]).await?;
        let columns = table.as_deref().and_then(|sql| sql.split_once('('));
        let columns = columns.map_or_else(String::new, |(_, rest)| rest.to_owned());
        let indexes = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = $1 AND sql IS NOT NULL";
        let indexes = fetch_all_as(&**txn, indexes, [name.into()], |row| {
            Ok(Index {
                name: row.try_get("", "name")?,
                sql: row.try_get("", "sql")?,
            })
        });
        let indexes = indexes.await?;
        let names = "SELECT name FROM pragma_table_info($1) ORDER BY cid";
        let names = fetch_all_as(&**txn, names, [name.into()], |row| row.try_get("", "name"));
        Ok(Self {
            name,
            columns,
            names: names.await?,
            key: key_of(txn, name).await?,
            indexes,
        })
    }

    async fn at_once(&self, txn: &WriteTxn) -> Result<(), DbErr> {
        let (name, key) = (self.name, self.key.join(", "));
        for sql in [
            format!("CREATE TABLE {name}_anew ({}", self.columns),
            // In key order, so that not even the position of a row says when it was written.
            format!("INSERT INTO {name}_anew SELECT * FROM {name} ORDER BY {key}"),
            format!("DROP TABLE {name}"),
            format!("ALTER TABLE {name}_anew RENAME TO {name}"),
        ] {
            txn.execute_unprepared(&sql).await?;
        }
        self.build_indexes(txn).await
    }

    async fn build_indexes(&self, txn: &WriteTxn) -> Result<(), DbErr> {
        for index in &self.indexes {
            txn.execute_unprepared(&index.sql).await?;
        }
        Ok(())
    }

    /// Creates the copy, and the triggers that keep it equal as far as it has come.
    async fn begin_copy(&self, txn: &WriteTxn) -> Result<(), DbErr> {
        let copy = format!("{}_anew", self.name);
        let delete = self.delete_from(&copy);
        let insert = format!(
            "INSERT INTO {copy} ({}) VALUES ({});",
            self.names.join(", "),
            of_row("NEW", &self.names)
        );
        for sql in [
            format!("CREATE TABLE {copy} ({}", self.columns),
            self.trigger(&copy, "insert", &insert),
            self.trigger(&copy, "update", &format!("{delete} {insert}")),
            self.trigger(&copy, "delete", &delete),
        ] {
            txn.execute_unprepared(&sql).await?;
        }
        Ok(())
    }

    /// A trigger that writes to another table after a change of this one.
    fn trigger(&self, into: &str, change: &str, then: &str) -> String {
        let name = self.name;
        format!("CREATE TRIGGER {into}_{change} AFTER {change} ON {name} BEGIN {then} END")
    }

    /// Deletes from another table what a row was before the change.
    fn delete_from(&self, other: &str) -> String {
        let (key, old) = (self.key.join(", "), of_row("OLD", &self.key));
        format!("DELETE FROM {other} WHERE ({key}) = ({old});")
    }

    /// Copies all rows that the triggers have not copied already.
    async fn copy(&self, db: &Db) -> Result<(), DbErr> {
        let (name, key) = (self.name, self.key.join(", "));
        let mut after: Option<String> = None;
        loop {
            let txn = db.write_txn("scrub").await?;
            let upto = end_of_piece(&txn, name, &self.key, after.as_deref()).await?;
            let mut range = String::from("true");
            for (sign, end) in [(">", &after), ("<=", &upto)] {
                if let Some(end) = end {
                    range += &format!(" AND ({key}) {sign} ({end})");
                }
            }
            let sql = format!(
                "INSERT INTO {name}_anew SELECT * FROM {name} WHERE {range} ORDER BY {key} ON CONFLICT DO NOTHING"
            );
            txn.execute_unprepared(&sql).await?;
            txn.commit().await?;
            crash_point("scrub_piece_copied");
            if upto.is_none() {
                return Ok(());
            }
            after = upto;
        }
    }

    /// Makes sure that the copy has as many rows as the table: the old ones are about to be destroyed.
    async fn compare(&self, db: &Db) -> Result<(), DbErr> {
        let name = self.name;
        let sql =
            format!("SELECT (SELECT COUNT(*) FROM {name}) = (SELECT COUNT(*) FROM {name}_anew)");
        match find_value(&*db.scan().await, sql, []).await? {
            Some(true) => Ok(()),
            _ => Err(DbErr::Custom(format!("the copy of {name} is not complete"))),
        }
    }

    async fn take_its_place(&self, txn: &WriteTxn) -> Result<(), DbErr> {
        let (name, old) = (self.name, format!("{}_old", self.name));
        drop_triggers(txn, &format!("{name}_anew")).await?;
        for index in &self.indexes {
            let sql = format!("DROP INDEX {}", index.name);
            txn.execute_unprepared(&sql).await?;
        }
        let delete = self.delete_from(&old);
        for sql in [
            format!("ALTER TABLE {name} RENAME TO {old}"),
            format!("ALTER TABLE {name}_anew RENAME TO {name}"),
            self.trigger(&old, "update", &delete),
            self.trigger(&old, "delete", &delete),
        ] {
            txn.execute_unprepared(&sql).await?;
        }
        self.build_indexes(txn).await
    }
}

/// The columns of the row of a trigger.
fn of_row(row: &str, columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|c| format!("{row}.{c}")).collect();
    columns.join(", ")
}
