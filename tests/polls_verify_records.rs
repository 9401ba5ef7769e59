//! What a record vouches for cannot be changed, even if the log is changed to agree with it.

use canvass::{db, polls};

use crate::polls_ballot_box::{Box, opened};
use crate::polls_sealed::{close, sealed};
use crate::polls_verify::{eventful, verified};

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

/// Ballots and texts stay as they are, and the result says something else.
#[tokio::test]
async fn polls_changed_terms_are_found_before_and_after_the_sealing() {
    let ballots = eventful().await;
    let found = |findings: Vec<String>, part: &str, what: &str| {
        assert!(
            findings.iter().any(|found| found.contains(part)),
            "{what}: {findings:?}"
        );
    };
    let changes = [
        (
            "poll",
            "headline_tier = 2",
            "headline_tier = 0",
            "whose answers",
        ),
        (
            "poll",
            "intro = 'No means yes.'",
            "intro = ''",
            "the introduction",
        ),
        (
            "poll_question",
            "kind = 3 - kind",
            "kind = 3 - kind",
            "question 1",
        ),
        (
            "poll_question",
            "scale_from = 7",
            "scale_from = NULL",
            "question 1",
        ),
        (
            "poll_question",
            "max_choices = max_choices + 1",
            "max_choices = max_choices - 1",
            "question 1",
        ),
        ("poll_option", "role = 2", "role = 0", "role"),
        (
            "poll_option",
            "picture = '/pictures/x.png'",
            "picture = NULL",
            "picture",
        ),
    ];
    for seals in [false, true] {
        if seals {
            sealed(&ballots).await;
        }
        for (table, change, back, part) in changes {
            set(&ballots, table, change).await;
            let part = if seals {
                "the terms are not what was recorded"
            } else {
                part
            };
            found(verified(&ballots).await.findings, part, change);
            set(&ballots, table, back).await;
            assert_eq!(verified(&ballots).await.findings, Vec::<String>::new());
        }
    }
}

async fn set(ballots: &Box, table: &str, change: &str) {
    let txn = ballots.db.write_txn("test").await.unwrap();
    let sql = format!("UPDATE {table} SET {change}");
    db::run(&*txn, sql, []).await.unwrap();
    txn.commit().await.unwrap();
}

/// A rating has more terms: the ends of its scale.
#[tokio::test]
async fn polls_a_scale_that_was_turned_round_is_found() {
    let ballots = opened(&["1", "2", "3"], 1, None).await;
    let rating = "kind = 2, scale_from = 1, low_label = 'bad', high_label = 'good'";
    set(&ballots, "poll_question", rating).await;
    let poll = polls::by_id(&ballots.db, ballots.poll.id).await.unwrap();
    let ballots = Box {
        poll: std::sync::Arc::new(poll.unwrap()),
        ..ballots
    };
    ballots.cast(1, &["1"]).await;
    for change in [
        "scale_from = 0",
        "low_label = 'good', high_label = 'bad'",
        "ordering = 1",
    ] {
        set(&ballots, "poll_question", change).await;
        let findings = verified(&ballots).await.findings;
        assert_eq!(findings.len(), 1, "{change}: {findings:?}");
        set(
            &ballots,
            "poll_question",
            &format!("{rating}, ordering = 0"),
        )
        .await;
    }
}
