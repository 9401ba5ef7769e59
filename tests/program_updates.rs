//! A new version beside servers of the version before.

use canvass::db::lock::FileLock;
use canvass_migrations::{Migrator, MigratorTrait};
use sea_orm::{Database, TransactionTrait};

use crate::program::{canvass, words};
use crate::support::database::{self, TestDatabase};

/// A database as the version before the last step left it.
async fn of_an_older_version() -> TestDatabase {
    let database = TestDatabase::empty().await;
    // Makes the file, with SQLite.
    database.open().await.close().await.unwrap();
    let db = Database::connect(&database.url).await.unwrap();
    let steps = u32::try_from(Migrator::migrations().len()).unwrap();
    let txn = db.begin().await.unwrap();
    Migrator::up(&txn, Some(steps - 1)).await.unwrap();
    txn.commit().await.unwrap();
    db.close().await.unwrap();
    database
}

/// A check, or the pipe of a mail server, may be of the new version before the servers are.
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
    // The mail is kept by the mail server, for when the update is done.
    assert_eq!(run(&["bounce"]).status.code(), Some(75));

    drop(server);
    let migrated = run(&["migrate"]);
    assert_eq!(migrated.status.code(), Some(0), "{}", words(&migrated));
    let listed = run(&["api-token", "list"]);
    assert_eq!(listed.status.code(), Some(0), "{}", words(&listed));
}
