//! A SQLite table is written anew, so that nothing of what was deleted from it is left in unused parts of its pages.
//!
//! A short table is copied in one transaction, the old one is dropped and the copy takes its name. A long one is copied
//! a piece at a time, because votes wait for the one writer. Until the names change, triggers repeat in the copy what
//! others write. Afterwards the old rows are deleted a piece at a time, too: `secure_delete` zeroes each page that they
//! leave, and the rest when the table is dropped. What a killed process leaves behind is removed first of all.
//!
//! A table with further indexes is never taken for long: these would have to be built under their own names. One of
//! them is `ballot_link`, whose old rows must not outlive an erasure.

use sea_orm::{ConnectionTrait as _, DbErr};

use crate::db::{Db, WriteTxn, fetch_all_as, find_value};

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
    /// The definitions of its further indexes.
    indexes: Vec<String>,
}

/// Writes a table anew.
pub(super) async fn rewrite(db: &Db, name: &'static str) -> Result<(), DbErr> {
    clear(db, name).await?;
    let txn = db.write_txn("scrub").await?;
    let table = Table::read(&txn, name).await?;
    let is_long = end_of_piece(&txn, name, &table.key, None).await?.is_some();
    if !is_long || !table.indexes.is_empty() {
        table.at_once(&txn).await?;
        return txn.commit().await;
    }
    table.begin_copy(&txn).await?;
    txn.commit().await?;
    table.copy(db).await?;
    table.compare(db).await?;
    let txn = db.write_txn("scrub").await?;
    table.take_its_place(&txn).await?;
    txn.commit().await?;
    clear(db, name).await
}

/// Removes what an earlier attempt has left.
async fn clear(db: &Db, name: &str) -> Result<(), DbErr> {
    let txn = db.write_txn("scrub").await?;
    drop_triggers(&txn, name).await?;
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

/// Deletes all rows of a table, and then the table.
async fn remove(db: &Db, name: &str) -> Result<(), DbErr> {
    loop {
        let txn = db.write_txn("scrub").await?;
        let key = key_of(&txn, name).await?;
        let upto = end_of_piece(&txn, name, &key, None).await?;
        let sql = match &upto {
            Some(upto) => format!("DELETE FROM {name} WHERE ({}) <= ({upto})", key.join(", ")),
            None => format!("DROP TABLE {name}"),
        };
        txn.execute_unprepared(&sql).await?;
        txn.commit().await?;
        if upto.is_none() {
            return Ok(());
        }
    }
}

async fn drop_triggers(txn: &WriteTxn, name: &str) -> Result<(), DbErr> {
    for change in ["insert", "update", "delete"] {
        txn.execute_unprepared(&format!("DROP TRIGGER IF EXISTS {name}_anew_{change}"))
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
        let (mut columns, mut indexes) = (String::new(), Vec::new());
        let made = "SELECT type, sql FROM sqlite_master WHERE tbl_name = $1 AND sql IS NOT NULL";
        let made: Vec<(String, String)> = fetch_all_as(&**txn, made, [name.into()], |row| {
            Ok((row.try_get("", "type")?, row.try_get("", "sql")?))
        })
        .await?;
        for (kind, sql) in made {
            match sql.split_once('(') {
                Some((_, rest)) if kind == "table" => columns = rest.to_owned(),
                _ => indexes.push(sql),
            }
        }
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
        ]
        .iter()
        .chain(&self.indexes)
        {
            txn.execute_unprepared(sql).await?;
        }
        Ok(())
    }

    /// Creates the copy, and the triggers that keep it equal as far as it has come.
    async fn begin_copy(&self, txn: &WriteTxn) -> Result<(), DbErr> {
        let name = self.name;
        let given = |row: &str, columns: &[String]| {
            let columns: Vec<String> = columns.iter().map(|c| format!("{row}.{c}")).collect();
            columns.join(", ")
        };
        let delete = format!(
            "DELETE FROM {name}_anew WHERE ({}) = ({});",
            self.key.join(", "),
            given("OLD", &self.key)
        );
        let insert = format!(
            "INSERT INTO {name}_anew ({}) VALUES ({});",
            self.names.join(", "),
            given("NEW", &self.names)
        );
        let trigger = |change: &str, then: &str| {
            format!("CREATE TRIGGER {name}_anew_{change} AFTER {change} ON {name} BEGIN {then} END")
        };
        for sql in [
            format!("CREATE TABLE {name}_anew ({}", self.columns),
            trigger("insert", &insert),
            trigger("update", &format!("{delete} {insert}")),
            trigger("delete", &delete),
        ] {
            txn.execute_unprepared(&sql).await?;
        }
        Ok(())
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
        let name = self.name;
        drop_triggers(txn, name).await?;
        for sql in [
            format!("ALTER TABLE {name} RENAME TO {name}_old"),
            format!("ALTER TABLE {name}_anew RENAME TO {name}"),
        ] {
            txn.execute_unprepared(&sql).await?;
        }
        Ok(())
    }
}
