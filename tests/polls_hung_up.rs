//! A client that disconnects before the response: its answer is in the box, and the watch has seen it.

use std::time::Duration;

use canvass::db::run;
use canvass::polls::{Tier, watch_tick};
use canvass::types::Random;

use super::polls_stuffing::Drill;
use super::support::crowd::{people, run as let_come};
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
    let mut sockets = Vec::new();
    for _ in 0..MANY {
        sockets.push(send(app.address, request.as_bytes()).await);
    }
    // All answers are in the queue; then no client is left to respond to. Neither can be seen from outside.
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(sockets);
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(held);
    let ballots = "SELECT COUNT(*) FROM ballot";
    app.wait_until(ballots, 40 + MANY as i64).await;

    app.advance(Duration::from_secs(5));
    watch_tick(&app.app).await.unwrap();
    let aside = "SELECT COUNT(*) FROM ballot WHERE removed IS NOT NULL";
    assert_eq!(app.count(aside).await, MANY as i64);
    assert_eq!(drill.voters(Tier::Anonymous).await, 40);
}
