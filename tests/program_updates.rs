//! A new version beside servers of the previous version.

use canvass::db::lock::FileLock;
use canvass_migrations::{Migrator, MigratorTrait};
use sea_orm::{Database, TransactionTrait};

use crate::program::{canvass, words};
use crate::support::database::{self, TestDatabase};

/// A database without the last migration.
async fn of_an_older_version() -> TestDatabase {
    let database = TestDatabase::empty().await;
    // With SQLite, this creates the file.
    database.open().await.close().await.unwrap();
    let db = Database::connect(&database.url).await.unwrap();
    let steps = u32::try_from(Migrator::migrations().len()).unwrap();
    let txn = db.begin().await.unwrap();
    Migrator::up(&txn, Some(steps - 1)).await.unwrap();
    txn.commit().await.unwrap();
    db.close().await.unwrap();
    database
}

/// A check or a mail server's pipe may run the new version before the servers do.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_leaves_the_schema_of_running_servers_alone() {
    let database = of_an_older_version().await;
    let dir = database.dir.path();
    let settings = [("CANVASS_DATABASE__URL", database.url.as_str())];
    let run = |arguments: &[&str]| canvass(dir, arguments, &settings).output().unwrap();
    // With SQLite a server holds the directory; on PostgreSQL it may run anywhere.
    let server = database::server()
        .is_none()
        .then(|| FileLock::take(&dir.join("canvass.db")).unwrap());

    for _ in 0..2 {
        let refused = run(&["api-token", "list"]);
        assert_eq!(refused.status.code(), Some(1), "{}", words(&refused));
        assert!(
            words(&refused).contains("`canvass migrate`"),
            "{}",
            words(&refused)
        );
    }
    // The mail server keeps the mail until the update is done.
    assert_eq!(run(&["bounce"]).status.code(), Some(75));

    drop(server);
    let migrated = run(&["migrate"]);
    assert_eq!(migrated.status.code(), Some(0), "{}", words(&migrated));
    let listed = run(&["api-token", "list"]);
    assert_eq!(listed.status.code(), Some(0), "{}", words(&listed));
}

/// A pipe or a check may read the new configuration before the servers do, and must not write anything that these
/// cannot open.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_seals_nothing_anew_that_running_servers_must_open() {
    let database = TestDatabase::migrated().await;
    let dir = database.dir.path();
    let run = |key: &str, arguments: &[&str]| {
        let settings = [
            ("CANVASS_DATABASE__URL", database.url.as_str()),
            ("CANVASS_SECRET_KEY", key),
        ];
        canvass(dir, arguments, &settings).output().unwrap()
    };
    let (old, new) = (
        "an old key of at least 32 characters",
        "the new key of at least 32 characters",
    );
    let both = format!("{new},{old}");
    let list = ["api-token", "list"];
    for (key, code) in [(old, 0), (&both, 0), (old, 0), (new, 2)] {
        let output = run(key, &list);
        assert_eq!(output.status.code(), Some(code), "{}", words(&output));
    }
    assert_eq!(run(&both, &["bounce"]).status.code(), Some(0));
    let output = run(old, &list);
    assert_eq!(output.status.code(), Some(0), "{}", words(&output));
}

/// `head` closes the pipe when it has read enough.
#[test]
fn a_command_whose_reader_goes_away_ends_without_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let done = canvass(dir.path(), &["migrate"], &[]).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", words(&done));
    for (arguments, code) in [
        (&["settings"][..], 1),
        (&["check"], 1),
        (&["api-token", "create", "script"], 1),
        (&["admin", "add", "mara@news.example"], 1),
        (&["dkim", "create", "--domain", "news.example"], 1),
        (&["export", "readers", "--newsletter", "none"], 1),
        (&["--help"], 0),
    ] {
        let (read, write) = std::io::pipe().unwrap();
        drop(read);
        let mut command = canvass(dir.path(), arguments, &[]);
        let output = command.stdout(write).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(!words(&output).contains("panicked"), "{}", words(&output));
        // Nobody reads its error message, either.
        let (read, write) = std::io::pipe().unwrap();
        drop(read);
        let status = canvass(dir.path(), arguments, &[]).stderr(write).output();
        assert!(status.unwrap().status.code() != Some(101), "{arguments:?}");
    }
}

/// The driver's own error message about an invalid URL contains the URL.
#[test]
fn a_password_in_a_url_that_cannot_be_read_is_not_said() {
    let dir = tempfile::tempdir().unwrap();
    for url in [
        "postgres://canvass:s3cr/et@127.0.0.1:1/x",
        "postgres://canvass:s3cr#et@127.0.0.1:1/x",
        "postgres://canvass:s3cr?et@127.0.0.1:1/x",
        "postgres://canvass:s3cret@127.0.0.1:none/x",
    ] {
        for command in ["check", "serve", "migrate"] {
            let settings = [
                ("CANVASS_DATABASE__URL", url),
                ("CANVASS_MAIL__TRANSPORT", "mailbox"),
                ("CANVASS_MAIL__ALLOW_CAPTURE", "true"),
                ("CANVASS_HTTP__BIND", "127.0.0.1:0"),
            ];
            let output = canvass(dir.path(), &[command], &settings).output().unwrap();
            assert_ne!(output.status.code(), Some(0));
            let said = words(&output);
            assert!(!said.contains("s3cr"), "{command}: {said}");
            assert!(
                said.contains("database.url") || said.contains("database"),
                "{said}"
            );
        }
    }
}
