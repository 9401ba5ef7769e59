//! A provider that throttles permanently: once an issue has expired, waiting for the provider costs attempts, so that
//! every recipient reaches a final state.

use std::time::Duration;

use canvass::db;
use canvass::mailer::mailing::{MailingState, Reason};

use crate::support::issues::{app_with, hand_over, readers_at, the_ledger_agrees, until};
use crate::support::smtp_server::{At, SmtpServer};

const DELAY: Duration = Duration::from_secs(30);
const THREE_DAYS: Duration = Duration::from_secs(3 * 24 * 3_600);
const SLOWER: &str = "451 4.7.28 unusual rate of mail";

async fn ends_when_throttled(at: At) {
    let server = SmtpServer::start().await;
    server.say(at, "@busy", SLOWER);
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    readers_at(&app, &daily, "example.org", 3).await;
    for n in 1..=3 {
        readers_at(&app, &daily, &format!("busy{n}.example"), 1).await;
    }
    let issue = hand_over(&app, &daily, DELAY).await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    let old = "UPDATE mailing SET expires_ms = frozen_ms";
    db::run(&*txn, old, []).await.unwrap();
    txn.commit().await.unwrap();
    app.advance(DELAY * 2);
    until(&app, issue, |p| {
        p.counts.sent == 3 && p.counts.deferred == 3
    })
    .await;
    let told = "SELECT COUNT(*) FROM delivery_attempt WHERE reply LIKE '%unusual rate%'";
    assert_eq!(app.count(told).await, 3, "it says what it waits for");
    app.advance(THREE_DAYS);
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!((done.counts.sent, done.counts.failed), (3, 3), "{done:?}");
    assert_eq!(done.reasons[0].1, Reason::Expired);
    the_ledger_agrees(&app, issue).await;
}

#[tokio::test]
async fn who_is_throttled_at_the_address_has_an_end() {
    ends_when_throttled(At::Rcpt).await;
}

#[tokio::test]
async fn who_is_throttled_after_the_message_has_an_end() {
    ends_when_throttled(At::Dot).await;
}
