//! When a lease changes hands, the writes of the old holder are refused.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use canvass::db;
use canvass::mailer::mailing::MailingState;

use crate::support::issues::{app_with, hand_over, subscribe, the_ledger_agrees, until};
use crate::support::smtp_server::{Act, At, SmtpServer};
use crate::support::wait::PATIENCE;

#[tokio::test]
async fn a_lane_whose_batch_was_taken_over_writes_nothing_more() {
    let server = SmtpServer::start().await;
    server.rule(At::Dot, "", Act::Wait(Duration::from_millis(20)), None);
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 90).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    server.wait_for(10, PATIENCE).await;
    // What another node does if it finds that a lease has run out: it raises the fence, writes its own outcomes, and
    // ends.
    let txn = app.app.db.write_txn("test").await.unwrap();
    let taken = "UPDATE mail_batch SET fence = fence + 1, lease_until_ms = 0 WHERE state = 1";
    assert!(db::run(&*txn, taken, []).await.unwrap().rows_affected() > 0);
    txn.commit().await.unwrap();

    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!(done.counts.sent, 90, "nobody is lost");
    let mut taken: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mail in server.received() {
        taken.entry(mail.to).or_default().push(mail.message_id);
    }
    let twice = taken.values().filter(|ids| ids.len() > 1);
    assert!(twice.clone().count() <= 3, "at most one a connection");
    for ids in twice {
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 1);
    }
    the_ledger_agrees(&app, issue).await;
    let old = "SELECT COUNT(*) FROM delivery WHERE fence > 1 AND state = 2";
    assert!(app.count(old).await > 0, "the new holders finished it");
}

#[tokio::test]
async fn what_stands_in_doubt_after_a_crash_is_held_or_sent_again_and_put_aside_after_three() {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 5).await;
    let issue = hand_over(&app, &daily, Duration::from_secs(30)).await;
    until(&app, issue, |p| p.counts.audience == 5).await;
    // Two recipients were at the final dot when a process died; one of them for the third time.
    let txn = app.app.db.write_txn("test").await.unwrap();
    for (reader, crashes) in [("reader1@example.org", 0i16), ("reader2@example.org", 2)] {
        db::run(
            &*txn,
            "INSERT INTO delivery (issue_id, reader_id, state, reason, fence, attempt, at_ms)
             SELECT $1, id, 1, $2, 1, 1, 1 FROM reader WHERE email = $3",
            [issue.0.into(), crashes.into(), reader.into()],
        )
        .await
        .unwrap();
    }
    let leased = "UPDATE mail_batch SET state = 1, fence = 1, lease_until_ms = 1, worker = 'gone'";
    db::run(&*txn, leased, []).await.unwrap();
    txn.commit().await.unwrap();
    app.advance(Duration::from_secs(31));
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!((done.counts.sent, done.counts.unknown), (4, 1));
    let to: BTreeSet<String> = server.received().into_iter().map(|m| m.to).collect();
    assert!(to.contains("reader1@example.org") && !to.contains("reader2@example.org"));
    assert_eq!(
        app.count("SELECT COUNT(*) FROM mail_batch").await,
        0,
        "the batch is gone"
    );
    the_ledger_agrees(&app, issue).await;
}
