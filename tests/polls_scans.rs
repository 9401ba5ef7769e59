//! Whoever reads all ballots of a poll takes a turn, so that votes always find a connection, and keeps no writer.

use std::time::Duration;

use canvass::db::run;
use canvass::polls::Answers;
use canvass::polls::ballots::record;
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use crate::polls_ballot_box::opened;
use crate::support::app::TestApp;
use crate::support::editor::signed_in;
use crate::support::wait::Waiting;

/// How long a vote, or a write of any kind, may take beside whoever waits for a turn.
const SOON: Duration = Duration::from_secs(5);
/// Long enough for whoever needs no turn to go on; on a slower machine the tests see less, and do not fail.
const A_MOMENT: Duration = Duration::from_millis(300);

/// Editors' pages, the export of linked answers and the recount wait for a turn; votes do not, and neither do other
/// writers.
#[tokio::test(flavor = "multi_thread")]
async fn polls_votes_do_not_wait_for_those_who_read_all_ballots() {
    let app = TestApp::start_with(|config| config.database.max_connections = 3).await;
    app.poll("trust").await;
    app.poll_with("linked", |poll| {
        poll.linking = Some("You may write to me about it.".to_owned());
    })
    .await;
    for _ in 0..20 {
        let fields = [("option", "1")];
        app.reader().post("/p/trust", &fields).await.expect(200);
    }
    let editor = signed_in(&app).await;
    let turn = app.app.db.scan().await;
    let removals = tokio::spawn({
        let editor = editor.clone();
        let path = "/admin/polls/trust/removals?from=2026-03-02T10:00";
        async move { editor.get(path).await }
    });
    let export = tokio::spawn({
        let url = app.url("/api/v1/polls/linked/linked/export");
        let token = app.api_token().await;
        let request = app.reader().client().post(url).bearer_auth(token);
        let request = request.json(&json!({ "format": "csv" }));
        async move { request.send().await.unwrap() }
    });
    let recount = tokio::spawn({
        let app = app.app.clone();
        async move { app.polls.audits.tick(&app.db).await }
    });
    sleep(A_MOMENT).await;
    // The definition of the poll is read again.
    app.advance(Duration::from_secs(2));
    let voter = app.reader();
    let fields = [("option", "2")];
    let vote = timeout(SOON, voter.post("/p/trust", &fields)).await;
    vote.expect("a vote waited for a connection").expect(200);
    assert!(!removals.is_finished(), "the editors' page took no turn");
    assert!(!export.is_finished(), "the export took no turn");
    assert!(!recount.is_finished(), "the recount took no turn");
    drop(turn);
    removals.await.unwrap().expect(200);
    assert_eq!(export.await.unwrap().status(), 200);
    recount.await.unwrap().unwrap();
    assert_eq!(app.count("SELECT COUNT(*) FROM link_export").await, 1);
}

/// SQLite does not notice that nobody waits any more: an editor who reloads a page would occupy all connections.
#[tokio::test(flavor = "multi_thread")]
async fn polls_a_turn_lasts_until_the_database_is_done_even_if_the_client_is_gone() {
    let ballots = opened(&["yes", "no"], 1, None).await;
    ballots.cast(1, &["1"]).await;
    let txn = ballots.db.write_txn("test").await.unwrap();
    // Reading the ballots takes seconds.
    for sql in [
        "ALTER TABLE ballot RENAME TO ballot_here",
        "CREATE VIEW ballot AS SELECT b.* FROM ballot_here b, (WITH RECURSIVE slow (n) AS \
         (SELECT 1 UNION ALL SELECT n + 1 FROM slow WHERE n < 6000000) SELECT MAX(n) AS n FROM slow) s WHERE s.n > 0",
    ] {
        run(&*txn, sql, []).await.unwrap();
    }
    txn.commit().await.unwrap();
    let (answers, now) = (Answers::default(), ballots.clock.now());
    let mut asked = Box::pin(answers.of(&ballots.db, &ballots.poll, 1, now));
    let _other = ballots.db.scan().await;
    let waiting = Waiting::until("the read has its turn");
    loop {
        let read = timeout(A_MOMENT, &mut asked).await;
        assert!(read.is_err(), "it was too quick to hang up");
        if timeout(A_MOMENT / 3, ballots.db.scan()).await.is_err() {
            break;
        }
        waiting.still(()).await;
    }
    drop(asked);
    let free = timeout(A_MOMENT / 3, ballots.db.scan()).await;
    assert!(free.is_err(), "the turn was given back while it was used");
    let free = timeout(SOON * 12, ballots.db.scan()).await;
    free.expect("the turn was never given back");
}

/// All ballots are grouped before the transaction, and the record is written only if nothing has changed since.
#[tokio::test(flavor = "multi_thread")]
async fn polls_a_count_is_recorded_as_it_still_is() {
    let ballots = opened(&["yes", "no"], 1, None).await;
    for who in 0..5 {
        ballots.cast(who, &["1"]).await;
    }
    let now = ballots.clock.now();
    let txn = ballots.db.write_txn("test").await.unwrap();
    let sql = "UPDATE poll SET state = 2, closed_ms = $1";
    run(&*txn, sql, [now.into()]).await.unwrap();
    txn.commit().await.unwrap();
    let poll = ballots.poll.id;
    let turns = [ballots.db.scan().await, ballots.db.scan().await];
    let recording = tokio::spawn({
        let db = ballots.db.clone();
        async move { record::record_closed(&db, now).await }
    });
    sleep(A_MOMENT).await;
    let changed = timeout(SOON, ballots.db.write_txn("test")).await;
    let changed = changed.expect("the count held the writer").unwrap();
    run(&*changed, "UPDATE poll SET revision = revision + 1", [])
        .await
        .unwrap();
    drop(turns);
    // By then it has counted, and waits for this transaction.
    let end = Instant::now() + A_MOMENT;
    while Instant::now() < end {
        assert!(!recording.is_finished(), "it did not wait");
        sleep(A_MOMENT / 10).await;
    }
    changed.commit().await.unwrap();
    recording.await.unwrap().unwrap();
    let recorded = record::latest(&ballots.db, poll).await.unwrap();
    assert_eq!(recorded, None, "another poll than the one it counted");
    record::record_closed(&ballots.db, now).await.unwrap();
    let recorded = record::latest(&ballots.db, poll).await.unwrap();
    assert_eq!(recorded.unwrap().state.ballots, 5);
}
