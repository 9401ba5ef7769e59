//! What a record vouches for cannot be changed, even if the log is changed to agree with it.

use canvass::db;

use crate::polls_ballot_box::{Box, opened};
use crate::polls_sealed::close;
use crate::polls_verify::verified;

/// The tables about ballots; the record is published.
const TABLES: [&str; 6] = [
    "ballot",
    "ballot_log",
    "ballot_chain",
    "tally",
    "poll_source",
    "poll_hour",
];

async fn sql(ballots: &Box, each: impl Fn(&str) -> Vec<String>) {
    let txn = ballots.db.write_txn("test").await.unwrap();
    for statement in TABLES.iter().flat_map(|table| each(table)) {
        db::run(&*txn, statement.as_str(), []).await.unwrap();
    }
    txn.commit().await.unwrap();
}

#[tokio::test]
async fn polls_a_closed_count_is_not_put_back_to_an_earlier_one() {
    let ballots = opened(&["yes", "no"], 1, None).await;
    for who in 0..5 {
        ballots.cast(who, &["1"]).await;
    }
    sql(&ballots, |table| {
        vec![format!(
            "CREATE TABLE kept_{table} AS SELECT * FROM {table}"
        )]
    })
    .await;
    for who in 5..15 {
        ballots.cast(who, &["2"]).await;
    }
    close(&ballots).await;
    assert_eq!(verified(&ballots).await.findings, Vec::<String>::new());
    let found = "record 1: the log does not contain what was recorded";
    sql(&ballots, |table| {
        vec![
            format!("DELETE FROM {table}"),
            format!("INSERT INTO {table} SELECT * FROM kept_{table}"),
        ]
    })
    .await;
    let back = verified(&ballots).await.findings;
    assert!(back.iter().any(|f| f == found), "{back:?}");
    sql(&ballots, |table| vec![format!("DELETE FROM {table}")]).await;
    let nothing = verified(&ballots).await.findings;
    assert!(nothing.iter().any(|f| f == found), "{nothing:?}");
}

/// A different history of the same length.
#[tokio::test]
async fn polls_a_closed_count_is_not_told_anew() {
    let ballots = opened(&["yes", "no"], 1, None).await;
    sql(&ballots, |table| {
        vec![format!(
            "CREATE TABLE kept_{table} AS SELECT * FROM {table}"
        )]
    })
    .await;
    for who in 0..5 {
        ballots.cast(who, &["1"]).await;
    }
    close(&ballots).await;
    sql(&ballots, |table| vec![format!("DELETE FROM {table}")]).await;
    let txn = ballots.db.write_txn("test").await.unwrap();
    let open = "UPDATE poll SET state = 1, closed_ms = NULL";
    db::run(&*txn, open, []).await.unwrap();
    txn.commit().await.unwrap();
    for who in 0..9 {
        ballots.cast(who, &["2"]).await;
    }
    let anew = verified(&ballots).await.findings;
    assert!(
        anew.contains(&"record 1: the log does not contain what was recorded".to_owned()),
        "{anew:?}"
    );
}
