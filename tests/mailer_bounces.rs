//! Addresses that do not exist lose their subscriptions, and too many of them pause the issue, once. Other refusals end
//! subscriptions when they repeat, by the same rule as reports that come back by mail.

use std::time::Duration;

use canvass::mailer::mailing::{Change, MailingState, Reason, Steer, allow_again};
use canvass::newsletters::Newsletter;
use canvass::types::{IssueId, UnixMillis};

use crate::mailer_settle::resend;
use crate::support::app::TestApp;
use crate::support::issues::{
    app_with, hand_over, hand_over_about, steer, subscribe, the_ledger_agrees, until,
};
use crate::support::smtp_server::{Act, At, SmtpServer};

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

const FULL: &str = "552 5.2.2 mailbox full";
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Sends another issue, two days after the last.
async fn another(app: &TestApp, newsletter: &Newsletter, n: i64) -> IssueId {
    app.advance(2 * DAY);
    let now = app.app.clock.now();
    let subject = format!("Issue {n}");
    let issue = hand_over_about(&app.app.db, newsletter, &subject, now, now + DAY).await;
    until(app, issue, |p| p.state == MailingState::Finished).await;
    the_ledger_agrees(app, issue).await;
    issue
}

/// The state of a reader's subscription: 1 active, 4 bounced.
async fn subscribed(app: &TestApp, reader: &str) -> i64 {
    app.count(&format!(
        "SELECT CAST(s.state AS BIGINT) FROM subscription s JOIN reader r ON r.id = s.reader_id WHERE r.email = '{reader}@example.org'"
    ))
    .await
}

#[tokio::test]
async fn refusals_of_the_same_recipient_end_its_subscription_when_they_are_enough() {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 6).await;
    let mut last = None;
    for n in 1..=5 {
        server.forgive();
        server.say(At::Rcpt, "reader1@", FULL);
        server.say(At::Dot, "reader2@", "550 5.2.1 mailbox disabled");
        server.say(At::Rcpt, "reader3@", "550 5.1.2 host unknown");
        server.rule(At::Rcpt, "reader4@", Act::Say(FULL.to_owned()), Some(1));
        let issue = another(&app, &daily, n).await;
        last = Some(issue);
        if n == 3 {
            // Sent again an hour later, one of them arrives.
            app.advance(Duration::from_secs(3_600));
            resend(&app, issue, &[Reason::Refused]).await;
            until(&app, issue, |p| p.state == MailingState::Finished).await;
        }
        let ended = |ends: bool| if ends { 4 } else { 1 };
        for (reader, expected) in [
            ("reader1", ended(n == 5)),
            ("reader2", ended(n == 5)),
            ("reader3", ended(n >= 2)),
            ("reader4", 1),
            ("reader5", 1),
        ] {
            assert_eq!(subscribed(&app, reader).await, expected, "{reader}, {n}");
        }
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM suppression").await, 3);
    let why = "SELECT COUNT(*) FROM subscription WHERE reason = 'it bounced for a week or longer'";
    assert_eq!(app.count(why).await, 2);
    let known = "SELECT COUNT(*) FROM bounce WHERE kind = 3 AND status = '5.2.2'";
    assert_eq!(app.count(known).await, 5 + 5);
    // The two whom the last issue ended can be given back with it.
    let (from, end) = (UnixMillis(0), app.app.clock.now() + DAY);
    let given = allow_again(&app.app, last.unwrap(), from, end)
        .await
        .unwrap();
    assert_eq!((given.addresses, given.subscriptions), (2, 2));
    assert_eq!(app.count("SELECT COUNT(*) FROM suppression").await, 1);
}

/// Postfix behind a broken resolver, or a relay whose words no table knows.
#[tokio::test]
async fn a_relay_that_refuses_everybody_costs_nobody_the_subscription() {
    let server = SmtpServer::start().await;
    server.say(At::Rcpt, "", "550 5.1.2 host unknown");
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 20).await;
    for n in 1..=3 {
        another(&app, &daily, n).await;
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM bounce").await, 60);
    let active = "SELECT COUNT(*) FROM subscription WHERE state = 1";
    assert_eq!(app.count(active).await, 20);
}
