//! What is written beside the code says what the code does.

use std::fmt::Write as _;

use canvass::config;
use canvass::db::run;

use crate::support::database::TestDatabase;

fn read(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// One row for every setting of the reference file, its comment as the explanation.
fn table_of_settings() -> String {
    let mut table = String::from("| setting | default | meaning |\n|---|---|---|\n");
    let (mut section, mut comment, mut fresh) = (String::new(), String::new(), true);
    // What stands above the first empty line speaks of the file itself.
    let settings = config::REFERENCE.split_once("\n\n").unwrap().1;
    for line in settings.lines() {
        if let Some(text) = line.strip_prefix('#') {
            if fresh {
                comment.clear();
            }
            comment.push_str(text);
            fresh = false;
        } else if let Some(name) = line.strip_prefix('[') {
            section = format!("{}.", name.trim_end_matches(']'));
            comment.clear();
        } else if let Some((key, value)) = line.split_once(" = ") {
            let meaning = comment.trim().replace('|', "\\|");
            writeln!(table, "| `{section}{key}` | `{value}` | {meaning} |").unwrap();
            fresh = true;
        }
    }
    table
}

#[test]
fn the_readme_lists_every_setting() {
    let table = table_of_settings();
    for key in config::keys() {
        assert!(
            table.contains(&format!("| `{key}` |")),
            "{key} is explained"
        );
    }
    assert!(
        read("README.md").contains(&table),
        "the table in README.md differs from src/config/reference.toml; it should be:\n{table}"
    );
}

/// Every `CANVASS_…` variable that a deployment file sets is one that exists.
#[test]
fn the_deployment_files_set_what_exists() {
    let known: Vec<String> = config::keys()
        .iter()
        .map(|key| format!("CANVASS_{}", key.to_uppercase().replace('.', "__")))
        .collect();
    // Not ours: compose puts it into the URL.
    let foreign = ["CANVASS_DATABASE_PASSWORD"];
    for file in [
        "deploy/Dockerfile",
        "deploy/compose.yaml",
        "deploy/canvass.env.example",
        "deploy/canvass.service",
        "deploy/nginx.conf",
        "deploy/runbook.md",
        "deploy/backup.md",
        "README.md",
    ] {
        let text = read(file);
        for (at, _) in text.match_indices("CANVASS_") {
            let rest = &text[at..];
            let end = rest.find(|c: char| !(c.is_ascii_uppercase() || c == '_'));
            let name = &rest[..end.unwrap_or(rest.len())];
            let example = name.contains("TEST_") || rest[name.len()..].starts_with('<');
            let ours = known.iter().any(|k| k == name) || foreign.contains(&name);
            assert!(ours || example, "{file} sets {name}, which does not exist");
        }
    }
}

/// The example is a valid configuration as soon as its one blank is filled in.
#[test]
fn the_example_environment_is_accepted() {
    let mut environment: Vec<(String, String)> = read("deploy/canvass.env.example")
        .lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.split_once('='))
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect();
    assert!(environment.iter().any(|(k, _)| k == "CANVASS_SECRET_KEY"));
    environment.retain(|(_, v)| !v.is_empty());
    environment.push(("CANVASS_SECRET_KEY".to_owned(), "5".repeat(64)));
    let config = config::load(None, &environment).unwrap();
    assert_eq!(config.origin(), "https://letters.news.example");
}

/// The statements that the documents tell an operator to run at night do run.
#[tokio::test]
async fn the_documented_statements_run() {
    let database = TestDatabase::migrated().await;
    let db = database.open().await;
    let mut ran = 0;
    for file in ["deploy/backup.md", "deploy/runbook.md"] {
        let text = read(file);
        for block in text.split("```sql").skip(1) {
            for statement in block.split("```").next().unwrap().split(';') {
                if !statement.trim().is_empty() {
                    let txn = db.write_txn("test").await.unwrap();
                    run(&*txn, statement, []).await.unwrap();
                    txn.commit().await.unwrap();
                    ran += 1;
                }
            }
        }
    }
    assert!(ran > 0);
}
