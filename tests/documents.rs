//! The documents agree with the code.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use canvass::config;
use canvass::db::run;
use canvass::digests;
use canvass::polls;

use crate::architecture::sources;
use crate::program::{canvass, words};
use crate::support::database::TestDatabase;

fn read(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// One row for every setting in the reference file, with its comment as the explanation.
fn table_of_settings() -> String {
    let mut table = String::from("| setting | default | meaning |\n|---|---|---|\n");
    let (mut section, mut comment, mut fresh) = (String::new(), String::new(), true);
    // The text above the first empty line is about the file itself.
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

/// Every `CANVASS_…` variable that a deployment file sets exists.
#[test]
fn the_deployment_files_set_what_exists() {
    let known: Vec<String> = config::keys()
        .iter()
        .map(|key| format!("CANVASS_{}", key.to_uppercase().replace('.', "__")))
        .collect();
    // Not ours: compose puts it into the URL.
    let foreign = ["CANVASS_DATABASE_PASSWORD"];
    let mut seen = 0;
    for file in [
        "deploy/Dockerfile",
        "deploy/compose.yaml",
        "deploy/compose.sqlite.yaml",
        "deploy/canvass.env.example",
        "deploy/canvass.service",
        "deploy/nginx.conf",
        "deploy/runbook.md",
        "deploy/backup.md",
        "deploy/mail-dns.md",
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
            seen += 1;
        }
    }
    assert!(seen > 10, "are they found? {seen}");
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

/// The SQL statements that the documents recommend to operators work.
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

/// The example for a single machine is a valid configuration, too, and all its commands name the same file and user.
#[test]
fn the_unit_and_the_commands_beside_it_agree() {
    let example = read("deploy/canvass.toml.example");
    let key = format!("secret_key = \"{}\"", "5".repeat(64));
    let filled = example.replace("secret_key = \"\"", &key);
    assert_ne!(filled, example, "its one blank");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("canvass.toml");
    std::fs::write(&file, filled).unwrap();
    let config = config::load(Some(&file), &[]).unwrap();
    assert_eq!(config.origin(), "https://letters.news.example");
    assert_eq!(config.http.trusted_proxies.len(), 2);

    let unit = read("deploy/canvass.service");
    let start = "ExecStart=/usr/local/bin/canvass --config /etc/canvass/canvass.toml serve\n";
    assert!(unit.contains(start));
    assert!(unit.contains("\nUser=canvass\n"), "a user that stays");
    assert!(
        unit.contains("\nStateDirectory=canvass\n")
            && config.data_dir == Path::new("/var/lib/canvass")
    );
    let full = "runuser -u canvass -- /usr/local/bin/canvass --config /etc/canvass/canvass.toml";
    for file in ["canvass.service", "runbook.md", "backup.md"] {
        let text = read(&format!("deploy/{file}"));
        assert!(text.contains(full), "{file} says how to run a command");
        for line in text.lines().filter(|line| line.contains("runuser")) {
            assert!(line.contains(full), "{file}: {line}");
        }
    }
    let pipe = "user=canvass null_sender= argv=/usr/local/bin/canvass --config /etc/canvass/canvass.toml bounce";
    assert!(read("deploy/mail-dns.md").contains(pipe));
}

/// The settings that the documents tell an operator to put into canvass.toml are accepted.
#[test]
fn the_documented_settings_are_accepted() {
    let mut tried = 0;
    for file in ["README.md", "deploy/runbook.md", "deploy/mail-dns.md"] {
        for block in read(file).split("```toml").skip(1) {
            let block = block.split("```").next().unwrap();
            let dir = tempfile::tempdir().unwrap();
            let written = dir.path().join("canvass.toml");
            std::fs::write(&written, block).unwrap();
            let key = ("CANVASS_SECRET_KEY".to_owned(), "5".repeat(64));
            let loaded = config::load(Some(&written), &[key]);
            loaded.unwrap_or_else(|e| panic!("{file}: {e}"));
            tried += 1;
        }
    }
    assert!(tried > 0);
}

/// Files with secrets stay out of the repository and out of images.
#[test]
fn files_with_secrets_are_ignored() {
    for secret in ["canvass.toml", "deploy/canvass.env", "deploy/.env"] {
        let named = |file: &str, line: &str| read(file).lines().any(|l| l == line);
        assert!(named(".gitignore", &format!("/{secret}")), "{secret}");
        assert!(named(".dockerignore", secret), "{secret}");
    }
}

/// `pg_dump` must not be older than the server.
#[test]
fn the_image_can_back_up_the_database_beside_it() {
    let after = |text: &str, mark: &str| -> u32 {
        let rest = text.split_once(mark).unwrap().1;
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap();
        rest[..end].parse().unwrap()
    };
    let client = after(&read("deploy/Dockerfile"), "postgresql-client-");
    let server = after(&read("deploy/compose.yaml"), "image: postgres:");
    assert!(client >= server, "{client} < {server}");
    // It is built and run on the same Debian release, because the binary needs that C library.
    let image = read("deploy/Dockerfile");
    for from in image.lines().filter(|line| line.starts_with("FROM ")) {
        assert!(from.contains("trixie"), "{from}");
    }
}

/// The map of the crate names every part.
#[test]
fn every_part_is_on_the_map() {
    let text = read("src/lib.rs");
    let (map, code) = text.split_once("#[global_allocator]").unwrap();
    let mut parts = 0;
    for line in code.lines() {
        if let Some(name) = line.strip_prefix("pub mod ") {
            let name = name.trim_end_matches(';');
            assert!(map.contains(&format!("[`{name}`]")), "{name} is not there");
            parts += 1;
        }
    }
    assert!(parts > 15, "are they found? {parts}");
}

/// Files that ARCHITECTURE.md links to exist.
#[test]
fn the_files_that_are_pointed_to_exist() {
    let text = read("ARCHITECTURE.md");
    let mut found = 0;
    for name in text.split('`') {
        let folders = ["src/", "tests/", "deploy/", "benches/", "migrations/"];
        if folders.iter().any(|folder| name.starts_with(folder)) {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
            assert!(path.exists(), "{name} does not exist");
            found += 1;
        }
    }
    assert!(found > 10, "are they found? {found}");
}

/// The runbook's table of metrics lists exactly those of `/metrics`.
#[test]
fn the_runbook_explains_every_number() {
    // Cookies have similar names.
    let cookies = ["editor", "reader", "voter", "ballot_", "typed"];
    let mut counted = BTreeSet::new();
    for (_, code) in sources() {
        for rest in code.split("\"canvass_").skip(1) {
            let name = rest.split('"').next().unwrap();
            if !cookies.contains(&name) {
                counted.insert(name.to_owned());
            }
        }
    }
    let runbook = read("deploy/runbook.md");
    let table = runbook.split_once("| name | labels | what |\n").unwrap().1;
    let mut explained = BTreeSet::new();
    for row in table.lines().skip(1).take_while(|l| l.starts_with('|')) {
        let names = row.split('|').nth(1).unwrap();
        explained.extend(names.split('`').skip(1).step_by(2).map(str::to_owned));
    }
    assert_eq!(explained, counted, "the runbook's, and the code's");
    for (at, mark) in runbook.match_indices("`canvass_") {
        let rest = &runbook[at + mark.len()..];
        let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '_'));
        let name = &rest[..end.unwrap()];
        assert!(name.is_empty() || counted.contains(name), "canvass_{name}");
    }
}

/// The proxy's size limits match those of Canvass: the forms of readers and editors, and pictures where they are
/// uploaded. It must not allow more: if Canvass refuses a body before reading it, nginx turns that into a 502.
#[test]
fn nginx_takes_what_canvass_takes() {
    let text = read("deploy/nginx.conf");
    let bytes = |text: &str| -> usize {
        let rest = text.split_once("client_max_body_size ").unwrap().1;
        let (number, _) = rest.split_once("k;").unwrap();
        number.parse::<usize>().unwrap() * 1024
    };
    let key = ("CANVASS_SECRET_KEY".to_owned(), "5".repeat(64));
    let config = config::load(None, &[key]).unwrap();
    assert_eq!(bytes(&text) as u64, config.http.max_body_bytes);
    for (place, most, source, group, paths) in [
        (
            "^/admin/polls/[^/]+/pictures$",
            polls::UPLOAD_BYTES,
            "src/polls/admin/mod.rs",
            "upload_routes",
            &["/admin/polls/{slug}/pictures"][..],
        ),
        (
            "^/admin/issues/[^/]+(/autosave)?$",
            digests::COMPOSER_BYTES,
            "src/digests/admin/mod.rs",
            "composer_routes",
            &["/admin/issues/{id}", "/admin/issues/{id}/autosave"],
        ),
    ] {
        let place = format!("location ~ {place} {{");
        let place = text.split_once(&place).unwrap().1;
        let place = place.split_once("    }\n").unwrap().0;
        assert_eq!(bytes(place), most, "{group}");
        assert!(place.contains("proxy_pass http://canvass;"));
        // The only routes with this limit.
        let source = read(source);
        let routes = source.split_once(&format!("pub fn {group}()")).unwrap().1;
        let routes = routes.split_once("\n}").unwrap().0;
        let routes: Vec<_> = routes.split(".route(").skip(1).collect();
        assert_eq!(routes.len(), paths.len(), "{group}");
        for (route, path) in routes.iter().zip(paths) {
            let route = route.trim_start().strip_prefix('"').unwrap();
            assert_eq!(route.split('"').next(), Some(*path), "{group}");
        }
    }
}

/// Every command in the documents exists.
#[test]
fn the_documented_commands_exist() {
    let mut commands = BTreeSet::new();
    for file in [
        "README.md",
        "deploy/runbook.md",
        "deploy/backup.md",
        "deploy/mail-dns.md",
        "deploy/canvass.service",
        "deploy/compose.yaml",
    ] {
        let text = read(file);
        // Inside a line, as the service's user, in a container, and in a block of lines for a shell.
        for mark in [
            "`canvass ",
            "/etc/canvass/canvass.toml ",
            "exec canvass canvass ",
            "run --rm canvass ",
            "run --rm --no-deps canvass ",
            "target/release/canvass ",
            "\ncanvass ",
        ] {
            for (at, _) in text.match_indices(mark) {
                let rest = &text[at + mark.len()..];
                let rest = rest.split(['`', '\n']).next().unwrap_or_default();
                let is_word = |word: &&str| {
                    word.starts_with(|c: char| c.is_ascii_lowercase())
                        && word.chars().all(|c| c.is_ascii_lowercase() || c == '-')
                };
                let words: Vec<&str> = rest.split(' ').take_while(is_word).take(2).collect();
                if !words.is_empty() {
                    commands.insert(words.join(" "));
                }
            }
        }
    }
    assert!(commands.len() > 15, "are they found? {commands:?}");
    for command in commands {
        let arguments: Vec<&str> = command.split(' ').chain(["--help"]).collect();
        let dir = tempfile::tempdir().unwrap();
        let help = canvass(dir.path(), &arguments, &[]).output().unwrap();
        assert_eq!(
            help.status.code(),
            Some(0),
            "canvass {command}: {}",
            words(&help)
        );
    }
}
