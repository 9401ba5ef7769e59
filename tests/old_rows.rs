//! Old rows are deleted a few at a time.

use canvass::db::run;
use canvass::types::UnixMillis;

use crate::support::database::{TestDatabase, sqlite_needed};

/// While very many rows are deleted, SQLite's one writer serves others as well.
#[tokio::test(flavor = "multi_thread")]
async fn others_write_while_very_many_old_rows_are_deleted() {
    if !sqlite_needed() {
        return;
    }
    let database = TestDatabase::migrated().await;
    let db = database.open().await;
    let txn = db.write_txn("test").await.unwrap();
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) \
                INSERT INTO bounce (reader_id, issue_id, kind, at_ms) SELECT i / 2, i, 1, i FROM n";
    run(&*txn, many, []).await.unwrap();
    txn.commit().await.unwrap();
    let purging = tokio::spawn({
        let db = db.clone();
        let old = "DELETE FROM bounce WHERE at_ms < $1";
        async move { db.purge("test", old, "reader_id", UnixMillis(29_000)).await }
    });
    let mut written = 0;
    while !purging.is_finished() {
        let txn = db.write_txn("test").await.unwrap();
        let sql =
            "INSERT INTO setting (name, value) VALUES ('test', '') ON CONFLICT (name) DO NOTHING";
        run(&*txn, sql, []).await.unwrap();
        txn.commit().await.unwrap();
        written += 1;
    }
    assert_eq!(purging.await.unwrap().unwrap(), 28_999);
    assert!(written >= 10, "only {written} others came in between");
}
