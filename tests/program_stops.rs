//! Stopping a server that has not started yet.

use std::net::TcpStream;
use std::time::Duration;

use canvass::db::lock::FileLock;
use canvass::db::run;
use tokio::time::{Instant, sleep};

use crate::program::Server;
use crate::support::database::{TestDatabase, server};

/// The lock under which PostgreSQL's schema is migrated.
const LOCK: i64 = 0x63_61_6e_76_61_73_73;

/// It waits for another process to release the database; a migration takes as long.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_waits_for_the_database_ends_when_it_is_asked_to() {
    let database = TestDatabase::empty().await;
    let dir = database.dir.path();
    let (mut file, mut schema) = (None, None);
    if server().is_none() {
        file = Some(FileLock::take(&dir.join("canvass.db")).unwrap());
    } else {
        let txn = database.open().await.write_txn("test").await.unwrap();
        let sql = "SELECT pg_advisory_xact_lock($1)";
        run(&*txn, sql, [LOCK.into()]).await.unwrap();
        schema = Some(txn);
    }
    let mut server = Server::spawn_by(&database, |command| command);
    let address = server.url.trim_start_matches("http://").to_owned();
    // It listens to signals before it binds, and opens the database after that.
    let until = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(&address).is_err() {
        assert!(Instant::now() < until, "it does not bind");
        sleep(Duration::from_millis(5)).await;
    }
    server.signal("-TERM");
    let (code, took) = server.ended().await;
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
    drop((file, schema));
}
