//! A poll that is verified in shares reads each ballot once, however many shares there are.

use canvass::db;
use canvass::polls::ballots::verify_in_shares;
use canvass::polls::{self, Definition, PollState, QuestionText, Stored};
use canvass::types::{Random, UnixMillis};

use crate::lost_commits::unreliable;

const BALLOTS: i64 = 3_000;

/// Counts bytes sent by the server; SQLite has none.
#[tokio::test(flavor = "multi_thread")]
async fn polls_a_share_is_all_that_is_read_for_it() {
    let Some((proxy, database, through)) = unreliable().await else {
        return;
    };
    let direct = database.open().await;
    let question = QuestionText {
        text: "Do you?".into(),
        options: vec!["Yes".into(), "No".into()],
        ..QuestionText::default()
    };
    let mut definition = Definition::new("trust", vec![question]);
    assert_eq!(definition.check(), []);
    let (random, now, open) = (Random::seeded(1), UnixMillis(1), PollState::Published);
    let txn = direct.write_txn("test").await.unwrap();
    let Stored::Yes(poll) = polls::create(&txn, &random, now, &definition, open)
        .await
        .unwrap()
    else {
        panic!("not stored");
    };
    // None of these ballots is in the log: that is found, and costs no further reads.
    let sql = "INSERT INTO ballot (poll_id, voter_key, choices, tier, source, cast_ms, changed_ms)
               SELECT $1, DECODE(MD5(CAST(n AS TEXT)), 'hex'), '1', 0, 0, 1, 1 FROM generate_series(1, $2) AS s(n)";
    db::run(&*txn, sql, [poll.0.into(), BALLOTS.into()])
        .await
        .unwrap();
    txn.commit().await.unwrap();

    let read = async |size: i64| {
        let before = proxy.answered();
        let verified = verify_in_shares(&through, poll, size).await.unwrap();
        assert!(verified.unwrap().differences() >= BALLOTS as usize);
        proxy.answered() - before
    };
    read(BALLOTS * 2).await;
    let (at_once, in_shares) = (read(BALLOTS * 2).await, read(BALLOTS / 30).await);
    assert!(at_once > BALLOTS as usize * 50, "{at_once} bytes");
    assert!(in_shares < at_once * 2, "{in_shares} instead of {at_once}");
}
