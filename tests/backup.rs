//! A backup while readers answer, and its restoration.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use canvass::db::{Db, fetch_one, run};
use canvass::polls::ballots::verify;
use canvass::polls::by_slug;
use canvass::types::Secret;

use crate::program::words;
use crate::support::app::TestApp;
use crate::support::database::TestDatabase;
use crate::support::wait::Waiting;

pub const KEY: &str = "a secret key of at least 32 characters";

/// Runs the program on this database.
pub fn canvass(dir: &Path, url: &str, key: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_canvass"));
    command
        .args(arguments)
        .current_dir(dir)
        .env_clear()
        .env("CANVASS_DATA_DIR", dir)
        .env("CANVASS_DATABASE__URL", url)
        .env("CANVASS_SECRET_KEY", key)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .stdin(Stdio::null());
    command.output().unwrap()
}

#[track_caller]
pub fn done(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", words(output));
    words(output)
}

#[track_caller]
pub fn refused(output: &Output, why: &str) {
    let said = words(output);
    assert_ne!(output.status.code(), Some(0), "{said}");
    assert!(said.contains(why), "{said}");
    assert!(!said.contains("panicked"), "{said}");
}

pub async fn number(db: &Db, sql: &'static str) -> i64 {
    let row = fetch_one(db.read(), sql, []).await.unwrap().unwrap();
    row.try_get_by_index(0).unwrap()
}

pub async fn write(db: &Db, sql: &'static str) {
    let txn = db.write_txn("test").await.unwrap();
    run(&*txn, sql, []).await.unwrap();
    txn.commit().await.unwrap();
}

/// A busy installation: a poll with answers, a scheduled issue, one that is being sent, a mail in the queue.
pub async fn at_work() -> TestApp {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("premium").await.id.0;
    app.poll("trust").await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    for (state, subject) in [(1, "tomorrow"), (3, "now")] {
        let sql = format!(
            "INSERT INTO issue (newsletter_id, slug, state, subject, body, created_ms, updated_ms, scheduled_ms) \
             VALUES ({newsletter}, '{subject}', {state}, '{subject}', 'x', 1, 1, 4000000000000)"
        );
        run(&*txn, sql, []).await.unwrap();
    }
    txn.commit().await.unwrap();
    app
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_one_moment_of_a_database_in_use() {
    let app = at_work().await;
    let dir = app.database.dir.path().to_owned();
    let url = app.database.url.clone();
    let file = dir.join("night.backup");
    let name = file.display().to_string();
    let answering = async {
        for i in 0..60 {
            let fields = [("option", if i % 2 == 0 { "1" } else { "2" })];
            app.reader().post("/p/trust", &fields).await.expect(200);
        }
    };
    let backing_up = {
        let (dir, url, name) = (dir.clone(), url.clone(), name.clone());
        async move {
            // In the middle of the answers, or a little after them.
            tokio::time::sleep(Duration::from_millis(100)).await;
            let output = move || canvass(&dir, &url, KEY, &["backup", &name]);
            tokio::task::spawn_blocking(output).await.unwrap()
        }
    };
    let ((), output) = tokio::join!(answering, backing_up);
    let said = done(&output);
    assert!(said.contains("secret key"), "{said}");
    assert!(!file.with_extension("backup.part").exists());
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "others can read it");
    refused(
        &canvass(&dir, &url, KEY, &["backup", &name]),
        "never overwritten",
    );

    // Another machine, with the same key.
    let other = TestDatabase::empty().await;
    let there = other.dir.path();
    let restore = ["restore", name.as_str()];
    refused(
        &canvass(there, &other.url, &KEY.replace("key", "KEY"), &restore),
        "secret",
    );
    // Nothing was changed: restoring to the same place works with the right key.
    // PostgreSQL takes a moment to end the connection of the one that was refused.
    let waiting = Waiting::until("PostgreSQL has ended the connection");
    let waiting = waiting.every(Duration::from_millis(100));
    let mut restored = canvass(there, &other.url, KEY, &restore);
    while words(&restored).contains("open connections") {
        waiting.still(words(&restored)).await;
        restored = canvass(there, &other.url, KEY, &restore);
    }
    let said = done(&restored);
    assert!(said.contains("1 scheduled"), "{said}");
    let db = other.open().await;
    let poll = by_slug(&db, "trust").await.unwrap().unwrap();
    let verified = verify(&db, poll.id).await.unwrap().unwrap();
    assert_eq!(verified.findings, Vec::<String>::new());
    assert!((0..=60).contains(&verified.ballots));
    assert_eq!(
        number(
            &db,
            "SELECT COUNT(*) FROM issue WHERE state = 2 AND held_reason LIKE '%backup%'"
        )
        .await,
        1
    );
    assert_eq!(
        number(&db, "SELECT COUNT(*) FROM issue WHERE state = 1").await,
        0
    );
    db.close().await.unwrap();
    app.stop().await;
}

#[tokio::test]
async fn what_would_leave_is_held_also_where_others_put_the_database_back() {
    let database = TestDatabase::migrated().await;
    let db = database.open().await;
    write(
        &db,
        "INSERT INTO outbox (priority, template, payload, message_id, state, not_before_ms, expires_ms, created_ms) \
         VALUES (0, 'x', 'x', 'x', 0, 1, 2, 1)",
    )
    .await;
    db.close().await.unwrap();
    let said = done(&canvass(
        database.dir.path(),
        &database.url,
        KEY,
        &["restore"],
    ));
    assert!(said.contains("1 single mails"), "{said}");
    let db = database.open().await;
    let sql = "SELECT COUNT(*) FROM outbox WHERE state = 5 AND payload = ''";
    assert_eq!(number(&db, sql).await, 1);
    db.close().await.unwrap();
}

#[tokio::test]
async fn nothing_is_replaced_by_what_cannot_be_used() {
    let app = at_work().await;
    let dir = app.database.dir.path().to_owned();
    let url = app.database.url.clone();
    let file = dir.join("night.backup").display().to_string();
    done(&canvass(&dir, &url, KEY, &["backup", &file]));
    refused(
        &canvass(&dir, &url, KEY, &["restore", "--replace", &file]),
        if url.starts_with("sqlite:") {
            "in use"
        } else {
            "stop every server"
        },
    );
    let database = app.stop().await;
    refused(
        &canvass(&dir, &url, KEY, &["restore", &file]),
        if url.starts_with("sqlite:") {
            "--replace"
        } else {
            "already has tables"
        },
    );
    refused(
        &canvass(&dir, &url, KEY, &["restore", "nowhere"]),
        "nowhere",
    );
    if !url.starts_with("sqlite:") {
        return;
    }
    let before = std::fs::read(dir.join("canvass.db")).unwrap();
    let copy = dir.join("newer.backup");
    std::fs::copy(&file, &copy).unwrap();
    let newer = Db::open(&Secret::new(format!("sqlite:{}", copy.display())), 2)
        .await
        .unwrap();
    write(
        &newer,
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 1)",
    )
    .await;
    newer.close().await.unwrap();
    let torn = dir.join("torn.backup");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&torn, &bytes[..bytes.len() / 2]).unwrap();
    let words = dir.join("words.backup");
    std::fs::write(&words, "Dear readers, ".repeat(1_000)).unwrap();
    let empty = dir.join("empty.backup");
    std::fs::write(&empty, "").unwrap();
    for (file, why) in [
        (&copy, "newer version"),
        (&torn, "not a Canvass backup"),
        (&words, "not a Canvass backup"),
        (&empty, "not a Canvass backup"),
    ] {
        let file = file.display().to_string();
        refused(
            &canvass(&dir, &url, KEY, &["restore", "--replace", &file]),
            why,
        );
        assert_eq!(std::fs::read(dir.join("canvass.db")).unwrap(), before);
    }
    done(&canvass(&dir, &url, KEY, &["restore", "--replace", &file]));
    let names: Vec<String> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let aside = names
        .iter()
        .find(|name| name.contains(".before-restore-") && name.ends_with('Z'));
    assert_eq!(std::fs::read(dir.join(aside.unwrap())).unwrap(), before);
    assert!(
        !names.iter().any(|name| name.contains("restoring")),
        "{names:?}"
    );
    let db = database.open().await;
    assert_eq!(
        number(&db, "SELECT COUNT(*) FROM issue WHERE state = 2").await,
        1
    );
    db.close().await.unwrap();
}

#[tokio::test]
async fn there_is_nothing_to_back_up_before_the_first_start() {
    let database = TestDatabase::empty().await;
    if !database.url.starts_with("sqlite:") {
        return;
    }
    let dir = database.dir.path();
    refused(
        &canvass(dir, &database.url, KEY, &["backup", "x"]),
        "nothing to back up",
    );
    assert!(
        !dir.join("canvass.db").exists() && !dir.join("x").exists() && !dir.join("x.part").exists()
    );
}

/// Only the key is set, as in the README: everything is in the default place, in a directory whose name contains
/// characters that have a meaning in URLs.
#[test]
fn a_restore_works_with_the_directory_of_the_defaults() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("100%41 news?mode=ro#1");
    std::fs::create_dir(&dir).unwrap();
    let program = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_canvass"));
        command.args(arguments).current_dir(&dir);
        command.env_clear().env("CANVASS_SECRET_KEY", KEY);
        command.stdin(Stdio::null()).output().unwrap()
    };
    for data_dir in ["canvass-data", &dir.join("in full").display().to_string()] {
        let set = format!("data_dir = {data_dir:?}\n[database]\nurl = \"sqlite:the%20news.db\"\n");
        std::fs::write(dir.join("canvass.toml"), set).unwrap();
        let backup = format!("{}.backup", data_dir.len());
        done(&program(&["migrate"]));
        done(&program(&["backup", &backup]));
        let file = dir.join(data_dir).join("the news.db");
        done(&program(&["restore", "--replace", &backup]));
        done(&program(&["api-token", "list"]));
        std::fs::remove_file(&file).unwrap();
        done(&program(&["restore", &backup]));
        assert!(file.exists());
        done(&program(&["api-token", "list"]));
        let made = std::fs::read_dir(file.parent().unwrap()).unwrap();
        let made: Vec<_> = made.map(|entry| entry.unwrap().path()).collect();
        assert!(made.iter().all(|one| !one.is_dir()), "{made:?}");
    }
}
