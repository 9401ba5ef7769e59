//! A restore that was killed, or that finds the leftovers of another: an incomplete database is never served.

use canvass::db::migrate;

use crate::backup::{KEY, at_work, canvass, done, number, refused, write};
use crate::program;
use crate::support::database::TestDatabase;

/// `pg_restore` goes on if the command that started it is killed: its tables must not be served as if they were
/// complete.
#[tokio::test]
async fn a_restore_that_was_not_finished_is_not_served_and_begins_anew() {
    let app = at_work().await;
    let url = app.database.url.clone();
    if url.starts_with("sqlite:") {
        // On SQLite the database is put in place only at the end: see `what_a_restore_left_half_way_is_not_served`.
        return;
    }
    let dir = app.database.dir.path().to_owned();
    let file = dir.join("night.backup").display().to_string();
    done(&canvass(&dir, &url, KEY, &["backup", &file]));
    let other = TestDatabase::empty().await;
    let db = other.open().await;
    assert!(db.begin_restore().await.unwrap());
    // What it had restored before the kill: the schema, and an issue that is being sent.
    migrate::migrate_restored(&db).await.unwrap();
    write(&db, "INSERT INTO setting (name, value) VALUES ('x', 'y')").await;
    db.close().await.unwrap();
    let settings = [
        ("CANVASS_DATABASE__URL", other.url.as_str()),
        ("CANVASS_HTTP__BIND", "127.0.0.1:0"),
        ("CANVASS_MAIL__TRANSPORT", "mailbox"),
        ("CANVASS_MAIL__ALLOW_CAPTURE", "true"),
    ];
    for command in ["serve", "check", "migrate", "restore"] {
        let said = program::canvass(&dir, &[command], &settings).output();
        refused(&said.unwrap(), "was not finished");
    }
    // This time even a different file.
    let torn = dir.join("torn.backup");
    std::fs::write(&torn, &std::fs::read(&file).unwrap()[..5_000]).unwrap();
    let torn = torn.display().to_string();
    refused(
        &canvass(&dir, &other.url, KEY, &["restore", &torn]),
        "pg_restore failed",
    );
    let db = other.open().await;
    assert!(!db.restore_begun().await.unwrap());
    assert!(db.begin_restore().await.unwrap(), "it is empty again");
    // A server that checked before the restore was marked as begun, and migrates now.
    let late = migrate::migrate(&db).await.unwrap_err();
    assert!(late.to_string().contains("was not finished"), "{late}");
    db.close().await.unwrap();
    let said = done(&canvass(&dir, &other.url, KEY, &["restore", &file]));
    assert!(said.contains("1 scheduled"), "{said}");
    done(&canvass(&dir, &other.url, KEY, &["api-token", "list"]));
    let db = other.open().await;
    let left = "SELECT COUNT(*) FROM setting WHERE name = 'x'";
    assert_eq!(number(&db, left).await, 0);
    db.close().await.unwrap();
    app.stop().await;
}

/// A write-ahead log does not name its database: SQLite would apply a leftover one to the restored database.
#[tokio::test]
async fn a_log_that_was_left_behind_is_not_read_into_what_is_restored() {
    let database = TestDatabase::migrated().await;
    let url = database.url.clone();
    if !url.starts_with("sqlite:") {
        return;
    }
    let dir = database.dir.path();
    let (main, log) = (dir.join("canvass.db"), dir.join("canvass.db-wal"));
    let db = database.open().await;
    write(
        &db,
        "INSERT INTO setting (name, value) VALUES ('x', 'kept')",
    )
    .await;
    let backup = dir.join("night.backup").display().to_string();
    done(&canvass(dir, &url, KEY, &["backup", &backup]));
    write(&db, "UPDATE setting SET value = 'later'").await;
    let left = std::fs::read(&log).unwrap();
    assert!(!left.is_empty());
    db.close().await.unwrap();
    // The state after a kill, and after somebody has removed the damaged file.
    std::fs::write(&log, left).unwrap();
    std::fs::remove_file(&main).unwrap();
    let said = done(&canvass(dir, &url, KEY, &["restore", &backup]));
    assert!(said.contains("is kept as"), "{said}");
    let db = database.open().await;
    let kept = "SELECT COUNT(*) FROM setting WHERE name = 'x' AND value = 'kept'";
    assert_eq!(number(&db, kept).await, 1);
    db.close().await.unwrap();
}

/// Killed after the old database's log was moved away and before the new database is in place.
#[tokio::test]
async fn what_a_restore_left_half_way_is_not_served() {
    let database = TestDatabase::migrated().await;
    let url = database.url.clone();
    if !url.starts_with("sqlite:") {
        return;
    }
    let dir = database.dir.path();
    let backup = dir.join("night.backup").display().to_string();
    done(&canvass(dir, &url, KEY, &["backup", &backup]));
    let half_way = dir.join("canvass.db.restored");
    std::fs::copy(&backup, &half_way).unwrap();
    let other = dir.join("other.backup").display().to_string();
    for arguments in [
        &["serve"][..],
        &["check"],
        &["migrate"],
        &["restore"],
        &["backup", &other],
    ] {
        let settings = [
            ("CANVASS_DATABASE__URL", url.as_str()),
            ("CANVASS_HTTP__BIND", "127.0.0.1:0"),
            ("CANVASS_MAIL__TRANSPORT", "mailbox"),
            ("CANVASS_MAIL__ALLOW_CAPTURE", "true"),
        ];
        let said = program::canvass(dir, arguments, &settings).output();
        refused(&said.unwrap(), "was not finished");
    }
    let restore = ["restore", "--replace", &backup];
    done(&canvass(dir, &url, KEY, &restore));
    assert!(!half_way.exists());
    done(&canvass(dir, &url, KEY, &["api-token", "list"]));
    database.open().await.close().await.unwrap();
}
