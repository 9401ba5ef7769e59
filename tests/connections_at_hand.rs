//! PostgreSQL: writers of single statements keep a connection out of the pool, and nobody goes without for it.

use std::time::Duration;

use canvass::db::{self, Db, TURN, Turns};
use canvass::types::{Secret, UnixMillis};
use tokio::time::timeout;

use crate::support::database::{TestDatabase, server_needed};
use crate::support::wait::PATIENCE;

/// A database and this many connections to it. `None` on SQLite.
async fn with(connections: u32) -> Option<(TestDatabase, Db)> {
    server_needed()?;
    let database = TestDatabase::migrated().await;
    let db = Db::open(&Secret::new(database.url.clone()), connections).await;
    Some((database, db.unwrap()))
}

/// The process of the server that carries out the writer's next statement.
async fn process(turns: &mut Turns) -> i32 {
    let sql = format!("WITH {TURN} SELECT pg_backend_pid() FROM turn");
    let rows = turns.run(&sql, vec![], UnixMillis(1)).await.unwrap();
    rows.unwrap()[0].try_get_by_index(0).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_statement_after_another_takes_the_same_connection() {
    let Some((_database, db)) = with(8).await else {
        return;
    };
    let mut one = Turns::new(&db, "test", "one".to_owned());
    let mut two = Turns::new(&db, "test", "two".to_owned());
    let (mut before, mut changes) = (process(&mut one).await, 0);
    for _ in 0..20 {
        for writer in [&mut two, &mut one] {
            let now = process(writer).await;
            changes += usize::from(now != before);
            before = now;
            // Between two statements the pool serves others.
            db.ping().await.unwrap();
        }
    }
    // A machine that hangs for five seconds makes it idle for too long.
    assert!(changes <= 4, "{changes} changes in 40 statements");
}

/// However few connections there are, writers of statements leave enough of them to transactions.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_at_hand_is_missed_by_nobody() {
    for (connections, others) in [(2, 2), (4, 3), (8, 6)] {
        let Some((_database, db)) = with(connections).await else {
            return;
        };
        let mut writers: Vec<Turns> = (0..connections)
            .map(|n| Turns::new(&db, "test", format!("writer {n}")))
            .collect();
        // All at once, so that every connection of the pool comes to a writer.
        let all = futures::future::join_all(writers.iter_mut().map(process));
        timeout(PATIENCE, all).await.unwrap();
        let mut open = vec![];
        for n in 0..others {
            let txn = timeout(PATIENCE, db.write_txn("test")).await;
            open.push(
                txn.unwrap_or_else(|_| panic!("{n} of {connections} are there"))
                    .unwrap(),
            );
        }
        if connections > others {
            // The statement has the one at hand.
            timeout(PATIENCE, process(&mut writers[0])).await.unwrap();
        }
        drop(open);
        timeout(PATIENCE, process(&mut writers[0])).await.unwrap();
        timeout(PATIENCE, db.close())
            .await
            .expect("none is missing")
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_at_hand_that_the_server_closed_is_replaced() {
    let Some((database, db)) = with(4).await else {
        return;
    };
    let direct = database.open().await;
    let mut turns = Turns::new(&db, "test", "writer".to_owned());
    let close = "SELECT pg_terminate_backend($1, 10000)";
    let (mut before, mut lost) = (process(&mut turns).await, 0);
    for _ in 0..5 {
        db::fetch_one(direct.read(), close, [before.into()])
            .await
            .unwrap();
        let sql = format!("WITH {TURN} SELECT pg_backend_pid() FROM turn");
        if let Err(error) = turns.run(&sql, vec![], UnixMillis(1)).await {
            assert!(db::connection_lost(&error), "{error}");
            lost += 1;
        }
        let after = process(&mut turns).await;
        assert_ne!(after, before);
        before = after;
    }
    assert!(lost > 0, "none of them was at hand");
    // One that was idle for a while is tested first.
    db::fetch_one(direct.read(), close, [before.into()])
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(5_100)).await;
    assert_ne!(process(&mut turns).await, before);
}
