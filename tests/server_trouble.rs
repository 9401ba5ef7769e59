//! A database that accepts no writes: readers are told to come back, and the probes and metrics report it.

use std::time::Duration;

use canvass::config::sqlite_url;
use canvass::db::migrate::migrate;
use canvass::db::{Db, Trouble, fetch_one, run};
use canvass::digests;
use canvass::types::Secret;
use tokio::time::sleep;

use crate::support::app::TestApp;
use crate::support::database::{server_needed, sqlite_needed};
use crate::support::log_lines::LogLines;

async fn ready(app: &TestApp) -> (u16, String) {
    let answer = reqwest::get(app.url("/readyz")).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn pragma(app: &TestApp, sql: &'static str) {
    let txn = app.app.db.write_txn("test").await.unwrap();
    run(&*txn, sql, []).await.unwrap();
    txn.commit().await.unwrap();
}

async fn voters(app: &TestApp) -> i64 {
    let sql = "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM tally WHERE option_id = 0";
    app.count(sql).await
}

/// SQLITE_FULL, as from a full disk.
#[tokio::test]
async fn a_full_database_tells_readers_to_come_again_and_says_so_to_probes() {
    let app = TestApp::start_with(|config| config.log.filter = "off".to_owned()).await;
    if !sqlite_needed() {
        return;
    }
    app.poll("trust").await;
    assert_eq!(ready(&app).await, (200, "ready\n".to_owned()));
    pragma(&app, "PRAGMA max_page_count = 1").await;
    let mut counted = 0;
    let refused = loop {
        let reader = app.reader();
        let answer = reader.post("/p/trust", &[("option", "1")]).await;
        match answer.status.as_u16() {
            // The redirect led to the result.
            200 => counted += 1,
            _ => break answer,
        }
        assert!(counted < 5_000, "it is never full");
    };
    assert_eq!(app.app.db.trouble(), Some(Trouble::Unwritable));
    // The connection that got the error was closed, and its limit is gone with it.
    pragma(&app, "PRAGMA max_page_count = 1").await;
    assert_eq!(refused.status, 503);
    assert!(refused.headers.contains_key("retry-after"));
    let refused = refused.says("Our storage is not available right now");
    assert!(!refused.text().contains("very busy"));
    assert_eq!(voters(&app).await, counted, "what was told is kept");
    // The server tries again every two seconds, and each time that closes the connection.
    pragma(&app, "PRAGMA max_page_count = 1").await;
    app.app.db.look_after().await;
    assert_eq!(app.app.db.trouble(), Some(Trouble::Unwritable), "still");
    assert_eq!(
        ready(&app).await,
        (503, "the database cannot be written\n".to_owned())
    );

    pragma(&app, "PRAGMA max_page_count = 4294967294").await;
    app.app.db.look_after().await;
    assert_eq!(ready(&app).await.0, 200);
    app.reader()
        .post("/p/trust", &[("option", "1")])
        .await
        .expect(200);
    assert_eq!(voters(&app).await, counted + 1);
}

/// Writes to a deleted file would be lost when the server stops.
#[tokio::test]
async fn a_database_file_that_is_moved_away_is_noticed() {
    let app = TestApp::start_with(|config| config.log.filter = "off".to_owned()).await;
    let Some(file) = app.app.config.database_file() else {
        return;
    };
    app.poll("trust").await;
    app.app.db.look_after().await;
    assert_eq!(ready(&app).await.0, 200);
    let away = file.with_extension("away");
    std::fs::rename(&file, &away).unwrap();
    app.app.db.look_after().await;
    assert_eq!(
        ready(&app).await,
        (503, "the database file is not in its place\n".to_owned())
    );
    let answer = [("option", "1")];
    let refused = app.reader().post("/p/trust", &answer).await;
    assert_eq!(refused.status, 503, "it would be confirmed, and lost");
    app.reader().get("/p/trust").await.expect(200);
    // A different file in its place is not the one that is open.
    std::fs::copy(&away, &file).unwrap();
    app.app.db.look_after().await;
    assert_eq!(ready(&app).await.0, 503);
    std::fs::rename(&away, &file).unwrap();
    app.app.db.look_after().await;
    assert_eq!(ready(&app).await.0, 200);
    app.reader().post("/p/trust", &answer).await.expect(200);
    assert_eq!(voters(&app).await, 1);
}

/// Background work is tried again every moment; that must not fill the disk that is full.
#[tokio::test]
async fn a_database_that_cannot_be_written_fills_no_log() {
    let log = LogLines::watch();
    let app = TestApp::start().await;
    let Some(file) = app.app.config.database_file() else {
        return;
    };
    let letter = app.newsletter("premium").await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    // A scheduled issue and a single mail that are due, from when everything was well.
    for sql in [
        format!(
            "INSERT INTO issue (newsletter_id, slug, state, subject, body, created_ms, updated_ms, scheduled_ms) \
             VALUES ({}, 'late', 1, 'late', 'x', 1, 1, 1)",
            letter.id.0
        ),
        "INSERT INTO outbox (priority, template, payload, message_id, state, not_before_ms, expires_ms, created_ms) \
         VALUES (0, 'x', 'x', 'x', 0, 1, 4000000000000, 1)"
            .to_owned(),
    ] {
        run(&*txn, sql, []).await.unwrap();
    }
    txn.commit().await.unwrap();
    let away = file.with_extension("away");
    std::fs::rename(&file, &away).unwrap();
    app.app.db.look_after().await;
    assert_eq!(app.app.db.trouble(), Some(Trouble::Moved));
    for _ in 0..5 {
        digests::tick(&app.app).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    // Other tests in this process may have had the line of this minute.
    for words in ["a due issue could not be handed over", "a mail lane"] {
        let lines = log.of(words);
        assert!(lines.len() <= 1, "{lines:?}");
    }
    std::fs::rename(&away, &file).unwrap();
}

/// Another program locks the file and does not release it.
#[tokio::test]
async fn a_locked_database_is_known_to_be_from_the_first_write_on() {
    let app = TestApp::start_with(|config| config.log.filter = "off".to_owned()).await;
    let Some(file) = app.app.config.database_file() else {
        return;
    };
    app.poll("trust").await;
    let other = Db::open(&sqlite_url(&file), 2).await.unwrap();
    let held = other.write_txn("test").await.unwrap();
    let refused = app.reader().post("/p/trust", &[("option", "1")]).await;
    assert_eq!(refused.status, 503);
    assert_eq!(app.app.db.trouble(), Some(Trouble::Unwritable));
    drop(held);
    other.close().await.unwrap();
    app.app.db.look_after().await;
    assert_eq!(ready(&app).await.0, 200);
}

/// After a failover, this server's connections lead to a server that has become a standby, or still is one.
#[tokio::test]
async fn a_database_that_may_only_be_read_is_known_to_be_from_the_first_write_on() {
    let app = TestApp::start_with(|config| config.log.filter = "off".to_owned()).await;
    if server_needed().is_none() {
        return;
    }
    app.poll("trust").await;
    // A single connection, from which all others are closed.
    let url = Secret::new(app.database.url.clone());
    let others = Db::open(&url, 1).await.unwrap();
    set_read_only(&others, "SET default_transaction_read_only = on").await;
    let refused = app.reader().post("/p/trust", &[("option", "1")]).await;
    assert_eq!(refused.status, 503);
    assert_eq!(ready(&app).await.0, 503);
    app.app.db.look_after().await;
    assert_eq!(ready(&app).await.0, 503, "it still is");
    set_read_only(&others, "RESET default_transaction_read_only").await;
    others.close().await.unwrap();
    // Each closed connection of the app's pool may be used once more.
    for _ in 0..20 {
        app.app.db.look_after().await;
        if ready(&app).await.0 == 200 {
            break;
        }
    }
    assert_eq!(ready(&app).await.0, 200);
    app.reader()
        .post("/p/trust", &[("option", "1")])
        .await
        .expect(200);
}

/// Changes the setting, and closes all other connections, because it applies only to new ones.
async fn set_read_only(db: &Db, change: &str) {
    let name = "SELECT quote_ident(current_database())";
    let row = fetch_one(db.read(), name, []).await.unwrap().unwrap();
    let name: String = row.try_get_by_index(0).unwrap();
    let close = "SELECT COUNT(pg_terminate_backend(pid, 10000)) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid()";
    run(db.read(), format!("ALTER DATABASE {name} {change}"), [])
        .await
        .unwrap();
    // One that was just beginning has the old setting, and is not in the list yet.
    for _ in 0..3 {
        run(db.read(), close, []).await.unwrap();
        sleep(Duration::from_millis(200)).await;
    }
}

/// Regardless of the umask.
#[tokio::test]
async fn a_new_database_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("canvass.db");
    let db = Db::open(&sqlite_url(&file), 2).await.unwrap();
    migrate(&db).await.unwrap();
    for ending in ["", "-wal", "-shm"] {
        let mut name = file.clone().into_os_string();
        name.push(ending);
        let mode = std::fs::metadata(&name).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{ending}: {mode:o}");
    }
    db.close().await.unwrap();
}

/// Whoever reads the log of a failed request needs to know which query it was.
#[tokio::test]
async fn the_log_says_which_line_of_a_handler_gave_up() {
    let log = LogLines::watch();
    let app = TestApp::start().await;
    app.newsletter("premium").await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    let sql = "ALTER TABLE newsletter RENAME COLUMN name TO former_name";
    run(&*txn, sql, []).await.unwrap();
    txn.commit().await.unwrap();
    let page = app.reader().get("/subscribe/premium").await;
    assert_eq!(page.status, 500);
    let lines = log.of("a request failed");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("src/subscriptions/http/"), "{lines:?}");
}

/// The writer logs the failure of an answer; the request that waited for it does not log it again.
#[tokio::test]
async fn a_failed_write_is_logged_once() {
    let log = LogLines::watch();
    let app = TestApp::start().await;
    app.poll("trust").await;
    let reader = app.reader();
    let form = reader.get("/p/trust").await.expect(200).the_form();
    let txn = app.app.db.write_txn("test").await.unwrap();
    let sql = "ALTER TABLE ballot RENAME COLUMN tier TO former_tier";
    run(&*txn, sql, []).await.unwrap();
    txn.commit().await.unwrap();
    let page = reader.submit(form.choose("option", "1")).await;
    assert_eq!(page.status, 500);
    let lines = log.of(" failed");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("a write failed"), "{lines:?}");
}
