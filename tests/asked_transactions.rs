//! Write transactions that begin with a query: atomic, and serialised with all other writers.

use std::time::Duration;

use canvass::db::{self, AskedTxn, Batch, Db};

use crate::support::database::TestDatabase;

async fn opened() -> (TestDatabase, Db) {
    let database = TestDatabase::migrated().await;
    let db = database.open().await;
    (database, db)
}

/// Reads the count so far within a transaction.
async fn ask(db: &Db) -> (AskedTxn, i64) {
    let question =
        "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) AS n FROM issue_tally WHERE issue_id = $1"
            .to_owned();
    let (txn, rows) = db
        .ask_and_write("test", question, vec![1i64.into()])
        .await
        .unwrap();
    let n = rows[0].try_get("", "n").unwrap();
    (txn, n)
}

/// The statements that count one more.
fn more() -> Batch {
    let mut batch = Batch::default();
    batch.push(
        "INSERT INTO issue_tally (issue_id, state, reason, slot, n) VALUES ($1, 2, 0, 0, $2)
         ON CONFLICT (issue_id, state, reason, slot) DO UPDATE SET n = issue_tally.n + excluded.n"
            .to_owned(),
        [1i64.into(), 1i64.into()],
    );
    batch
}

/// A statement that fails; `how` is SQLite's conflict clause.
fn failing(db: &Db, how: &str) -> String {
    let or = match db.backend() {
        db::Backend::Sqlite => how,
        db::Backend::Postgres => "",
    };
    format!(
        "INSERT {or} INTO write_turn (writer, turn, at_ms) VALUES ('twice', 1, 0), ('twice', 2, 0)"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_whole_or_not_at_all() {
    let (_database, db) = opened().await;
    let (txn, n) = ask(&db).await;
    assert_eq!(n, 0);
    txn.commit_with(more()).await.unwrap();
    // The last statement fails. On SQLite the second variant also ends the transaction by itself, as a full disk does.
    for how in ["", "OR ROLLBACK"] {
        let (txn, n) = ask(&db).await;
        assert_eq!(n, 1);
        let mut batch = more();
        batch.push(failing(&db, how), []);
        txn.commit_with(batch).await.unwrap_err();
    }
    let (dropped, n) = ask(&db).await;
    assert_eq!(n, 1, "nothing of a batch that failed");
    drop(dropped);
    let question = "SELECT nothing FROM nowhere".to_owned();
    db.ask_and_write("test", question, Vec::new())
        .await
        .unwrap_err();
    let (txn, n) = ask(&db).await;
    assert_eq!(n, 1);
    txn.commit_with(more()).await.unwrap();
    let (_txn, n) = ask(&db).await;
    assert_eq!(n, 2, "what came before left nothing open");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_else_writes_gets_a_turn() {
    let (_database, db) = opened().await;
    let asking = |db: Db| async move {
        for _ in 0..60 {
            let (txn, _) = ask(&db).await;
            txn.commit_with(more()).await.unwrap();
        }
    };
    let others = |db: Db| async move {
        for _ in 0..40 {
            let txn = db.write_txn("other").await.unwrap();
            more().run(&*txn).await.unwrap();
            txn.commit().await.unwrap();
        }
    };
    let all = [
        tokio::spawn(asking(db.clone())),
        tokio::spawn(asking(db.clone())),
        tokio::spawn(others(db.clone())),
        tokio::spawn(others(db.clone())),
    ];
    let all = futures::future::join_all(all);
    let done = tokio::time::timeout(Duration::from_secs(45), all).await;
    for done in done.expect("nobody waits for one that rests") {
        done.unwrap();
    }
    let (txn, n) = ask(&db).await;
    assert_eq!(n, 200);
    txn.commit_with(Batch::default()).await.unwrap();
    // While idle, the connection is kept for the next query: other writes and closing must not wait for it.
    let settled = async {
        db.write_txn("other").await.unwrap().commit().await.unwrap();
        let (txn, _) = ask(&db).await;
        txn.commit_with(more()).await.unwrap();
        db.close().await.unwrap();
    };
    tokio::time::timeout(Duration::from_secs(25), settled)
        .await
        .expect("nobody waits for one that rests");
}
