//! A client that disconnects before the response: its answer is in the box, and the watch has seen it.

use std::time::Duration;

use canvass::db::run;
use canvass::polls::{Tier, watch_tick};
use canvass::types::Random;

use super::polls_stuffing::Drill;
use super::support::crowd::{people, run as let_come};
use super::support::wait::{self, Waiting};
use super::support::wire::send;

const MANY: usize = 40;

/// A script that closes its socket right after the request avoids nothing but the response.
#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_is_seen_by_the_watch() {
    let drill = Drill::fresh().await;
    let app = &drill.app;
    let others = people(
        &Random::seeded(21),
        40,
        5,
        |i| format!("198.51.{i}.7"),
        |_| 2,
    );
    let_come(app, &others).await;
    assert_eq!(drill.voters(Tier::Anonymous).await, 40);

    // The commit waits until all clients are gone: on SQLite for the writer, on PostgreSQL for the poll's row.
    let held = app.app.db.write_txn("test").await.unwrap();
    run(&*held, "UPDATE poll SET revision = revision", [])
        .await
        .unwrap();
    let body = "option=1";
    let request = format!(
        "POST /p/trust HTTP/1.1\r\nhost: {}\r\nx-forwarded-for: 203.0.113.9\r\nuser-agent: curl/8.5.0\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        app.address,
        body.len()
    );
    // A handler ends with its connection, so each answer must be in the queue by then. The first ones are not, but in
    // the commit that waits, so there is no saying beforehand how many it takes.
    let mut sockets = Vec::new();
    let waiting = Waiting::until("the answers are in the queue");
    while app.app.polls.queue.waiting() < MANY {
        sockets.push(send(app.address, request.as_bytes()).await);
        waiting.still(sockets.len()).await;
    }
    drop(sockets);
    // The server notices that no client is left to respond to. If this is too short, the test sees less.
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(held);
    let ballots = "SELECT COUNT(*) FROM ballot";
    wait::until("the answers are in the box", async || {
        app.count(ballots).await >= 40 + MANY as i64
    })
    .await;

    // The watch is told once the commit is known to have happened, a moment after others can read it.
    let waiting = Waiting::until("they are set aside").every(Duration::from_secs(1));
    loop {
        app.advance(Duration::from_secs(5));
        watch_tick(&app.app).await.unwrap();
        let aside = "SELECT COUNT(*) FROM ballot WHERE removed IS NOT NULL";
        let now = [app.count(aside).await, drill.voters(Tier::Anonymous).await];
        if now[0] >= MANY as i64 && now[1] == 40 {
            break;
        }
        waiting.still(now).await;
    }
}
