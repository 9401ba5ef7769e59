//! Stopping a server that has not started yet.

use std::time::Duration;

use canvass::db::lock::FileLock;
use canvass::db::run;

use crate::program::Server;
use crate::support::database::{TestDatabase, server};
use crate::support::wait;

/// The lock under which PostgreSQL's schema is migrated.
const LOCK: i64 = 0x63_61_6e_76_61_73_73;

/// Whether the process catches SIGTERM.
fn heeds_sigterm(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let caught = status
        .lines()
        .find_map(|line| line.strip_prefix("SigCgt:"))
        .unwrap();
    let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
    (caught >> 14) & 1 == 1
}

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
    let mut server = Server::spawn_by(&database, "127.0.0.1:0", |command| command);
    let process = server.child.id();
    wait::until("it listens to signals", async || heeds_sigterm(process)).await;
    server.signal("-TERM");
    let (code, took) = server.ended().await;
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
    drop((file, schema));
}
