//! A table is written only by the parts that ARCHITECTURE.md names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::architecture::{part_of, sources};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The texts between backticks.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

/// The owners of each table, from the document.
fn owners() -> BTreeMap<String, BTreeSet<String>> {
    let mut owners = BTreeMap::new();
    let text = read("ARCHITECTURE.md");
    let rows = text
        .split_once("| table | written by |\n|---|---|\n")
        .unwrap()
        .1;
    for row in rows.lines().take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').collect();
        let parts: BTreeSet<String> = quoted(cells[2]).into_iter().map(str::to_owned).collect();
        for table in quoted(cells[1]) {
            let twice = owners.insert(table.to_owned(), parts.clone());
            assert!(twice.is_none(), "{table} stands there twice");
        }
    }
    owners
}

/// The tables that the migrations create.
pub fn tables() -> BTreeSet<String> {
    let mut tables = BTreeSet::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/src");
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for (at, mark) in text.match_indices("CREATE TABLE ") {
            let rest = &text[at + mark.len()..];
            tables.insert(name_at(rest.trim_start_matches("IF NOT EXISTS ")).to_owned());
        }
    }
    tables
}

/// The name at the beginning of a text, after blanks and the line continuation of a Rust string.
fn name_at(text: &str) -> &str {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\\');
    let end = text.find(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    &text[..end.unwrap_or(text.len())]
}

/// The name at the end of a text.
fn name_before(text: &str) -> &str {
    let start = text.rfind(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    &text[start.map_or(0, |at| at + 1)..]
}

/// The tables that a piece of code writes, by SQL or by entity.
fn written(code: &str) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for verb in ["INSERT INTO ", "UPDATE ", "DELETE FROM "] {
        for (at, _) in code.match_indices(verb) {
            names.insert(name_at(&code[at + verb.len()..]));
        }
    }
    for verb in ["::ActiveModel", "::Entity::update_many", "::Entity::delete"] {
        for (at, _) in code.match_indices(verb) {
            names.insert(name_before(&code[..at]));
        }
    }
    names
}

#[test]
fn a_table_is_written_by_its_owners() {
    let owners = owners();
    let named: BTreeSet<String> = owners.keys().cloned().collect();
    assert_eq!(
        named,
        tables(),
        "the tables of ARCHITECTURE.md and of the migrations"
    );
    let mut writers: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let sources = sources();
    for (file, code) in &sources {
        if file.starts_with("db/entities/") {
            continue;
        }
        for name in written(code) {
            if let Some((table, _)) = owners.get_key_value(name) {
                let part = part_of(file).to_owned();
                writers.entry(table).or_default().insert(part);
            }
        }
    }
    assert!(
        writers.len() > 50,
        "are the statements found? {}",
        writers.len()
    );
    for (table, parts) in writers {
        assert_eq!(parts, owners[table], "who writes {table}, and who may");
    }
}

#[test]
fn statements_are_found() {
    let code = "\"INSERT INTO \\\n  tally (n)\"; \"x FOR UPDATE\"; poll::ActiveModel { }; \"DELETE FROM {table}\"";
    let found: Vec<&str> = written(code).into_iter().collect();
    assert_eq!(found, ["", "poll", "tally"]);
}
