//! The whole content of a database as text, to prove that nothing changed.

use std::collections::BTreeMap;

use canvass::db::{Backend, Db, fetch_all};

/// Each table's rows, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump(BTreeMap<String, Vec<String>>);

impl Dump {
    pub async fn of(db: &Db) -> Self {
        let mut dump = BTreeMap::new();
        for table in tables(db).await {
            let row = match db.backend() {
                Backend::Postgres => "t::text".to_owned(),
                Backend::Sqlite => {
                    let columns = columns(db, &table).await;
                    let quoted: Vec<_> = columns.iter().map(|c| format!("quote({c})")).collect();
                    quoted.join("||'|'||")
                }
            };
            let sql = format!("SELECT {row} FROM {table} AS t ORDER BY 1");
            dump.insert(table, texts(db, &sql).await);
        }
        Self(dump)
    }

    /// The number of rows of a table.
    pub fn rows(&self, table: &str) -> usize {
        self.0.get(table).map_or(0, Vec::len)
    }

    /// The rows that contain a text, leaving out some tables.
    pub fn containing(&self, text: &str, except: &[&str]) -> Vec<String> {
        let tables = self
            .0
            .iter()
            .filter(|(table, _)| !except.contains(&table.as_str()));
        let rows = tables.flat_map(|(table, rows)| rows.iter().map(move |row| (table, row)));
        rows.filter(|(_, row)| row.contains(text))
            .map(|(table, row)| format!("{table}: {row}"))
            .collect()
    }

    /// The rows that only one of the two has, leaving out some tables and the turns of the writers, which on PostgreSQL
    /// every commit changes, whatever it does.
    pub fn differences(&self, other: &Self, except: &[&str]) -> Vec<String> {
        let mut found = Vec::new();
        for (table, rows) in &self.0 {
            let others = other.0.get(table).map(Vec::as_slice).unwrap_or_default();
            let left_out = table == "write_turn" || except.contains(&table.as_str());
            if left_out || rows.as_slice() == others {
                continue;
            }
            let gone = rows.iter().filter(|r| !others.contains(r));
            let new = others.iter().filter(|r| !rows.contains(r));
            found.extend(gone.map(|r| format!("- {table}: {r}")));
            found.extend(new.map(|r| format!("+ {table}: {r}")));
        }
        found
    }
}

/// The names of all tables.
pub async fn tables(db: &Db) -> Vec<String> {
    let sql = match db.backend() {
        Backend::Postgres => {
            "SELECT table_name::text FROM information_schema.tables
             WHERE table_schema = 'public' ORDER BY 1"
        }
        Backend::Sqlite => {
            "SELECT name FROM sqlite_master
             WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
        }
    };
    texts(db, sql).await
}

/// The names of a table's columns, sorted.
pub async fn columns(db: &Db, table: &str) -> Vec<String> {
    let sql = match db.backend() {
        Backend::Postgres => format!(
            "SELECT column_name::text FROM information_schema.columns
             WHERE table_schema = 'public' AND table_name = '{table}' ORDER BY 1"
        ),
        Backend::Sqlite => format!("SELECT name FROM pragma_table_info('{table}') ORDER BY 1"),
    };
    texts(db, &sql).await
}

async fn texts(db: &Db, sql: &str) -> Vec<String> {
    let rows = fetch_all(db.read(), sql, []).await.unwrap();
    rows.iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect()
}
