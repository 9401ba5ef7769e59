//! Addresses that do not exist lose their subscriptions, and too many of them pause the issue, once.

use std::time::Duration;

use canvass::mailer::mailing::{Change, MailingState, Steer};

use crate::support::issues::{app_with, hand_over, steer, subscribe, the_ledger_agrees, until};
use crate::support::smtp_server::{At, SmtpServer};

#[tokio::test]
async fn an_issue_that_begins_with_many_bounces_stops_itself_once() {
    let server = SmtpServer::start().await;
    server.say(At::Rcpt, "7@example.org", "550 5.1.1 no such user");
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 400).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let stopped = until(&app, issue, |p| p.state == MailingState::Paused).await;
    assert!(
        stopped.reason.contains("do not exist"),
        "{}",
        stopped.reason
    );
    let failed = stopped.counts.failed;
    assert!((8..40).contains(&failed), "2 % of 400 are 8, not {failed}");

    assert_eq!(steer(&app, issue, Steer::Resume).await, Change::Done);
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!((done.counts.sent, done.counts.failed), (360, 40));
    assert_eq!(server.count(), 360, "nobody twice");
    the_ledger_agrees(&app, issue).await;
    let ended = "SELECT COUNT(*) FROM subscription WHERE state = 4 AND reason <> ''";
    assert_eq!(
        app.count(ended).await,
        40,
        "their subscriptions ended as bounced"
    );
    assert_eq!(app.count("SELECT COUNT(*) FROM suppression").await, 40);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM subscription WHERE state = 1")
            .await,
        360
    );
}
