//! A restore that was killed, or that meets what another left behind: nothing is served that is not whole.

use canvass::db::migrate;

use crate::backup::{KEY, at_work, canvass, done, number, refused, write};
use crate::program;
use crate::support::database::TestDatabase;

/// `pg_restore` goes on when the command beside it is killed: what it brings must not be served as if nothing were held back.
#[tokio::test]
async fn a_restore_that_was_not_finished_is_not_served_and_begins_anew() {
    let app = at_work().await;
    let url = app.database.url.clone();
    if url.starts_with("sqlite:") {
        // There nothing is in its place before the end: see `what_a_restore_left_half_way_is_not_served`.
        return;
    }
    let dir = app.database.dir.path().to_owned();
    let file = dir.join("night.backup").display().to_string();
    done(&canvass(&dir, &url, KEY, &["backup", &file]));
    let other = TestDatabase::empty().await;
    let db = other.open().await;
    assert!(db.begin_restore().await.unwrap());
    // As far as it comes: the schema, and an issue on its way.
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
    // Another file than the first time, even.
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
    // A server that looked before there was a mark, and comes to its tables now.
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

/// A log names no database: SQLite reads one that was left behind into whatever has come into its place.
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
    // As a kill leaves it, and a person who takes the damaged file away.
    std::fs::write(&log, left).unwrap();
    std::fs::remove_file(&main).unwrap();
    let said = done(&canvass(dir, &url, KEY, &["restore", &backup]));
    assert!(said.contains("is kept as"), "{said}");
    let db = database.open().await;
    let kept = "SELECT COUNT(*) FROM setting WHERE name = 'x' AND value = 'kept'";
    assert_eq!(number(&db, kept).await, 1);
    db.close().await.unwrap();
}

/// Killed between the old database's log and the new database.
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
