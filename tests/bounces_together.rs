//! Two transactions about one reader at the same moment lock in the same order, so that PostgreSQL breaks neither of
//! them off. SQLite has only one writer.

use std::time::Duration;

use canvass::bounces::{Kind, Taken, take};
use canvass::db::run;
use canvass::mailer::mailing::MailingState;
use canvass::mailer::verp::{self, Mail};
use canvass::newsletters::Newsletter;
use canvass::types::{IssueId, ReaderId};

use crate::bounces::dsn;
use crate::subscriptions_double_opt_in::{ask, state_of, subscribe};
use crate::support::app::TestApp;
use crate::support::database::server_needed;
use crate::support::issues::{app_with, hand_over_about, until};
use crate::support::smtp_server::{At, SmtpServer};

const READER: &str = "ada@example.net";
const GONE: &str = "550 5.1.1 user unknown";
/// PostgreSQL looks for a deadlock after a second, and the one who finds it is broken off. By then the first to wait has
/// looked already, so that it is the report.
const LOOKED: Duration = Duration::from_millis(1_200);

async fn reader(app: &TestApp) -> ReaderId {
    ReaderId(app.count("SELECT id FROM reader").await)
}

async fn hand_over(app: &TestApp, newsletter: &Newsletter, subject: &str) -> IssueId {
    let now = app.app.clock.now();
    let expires = now + Duration::from_secs(3_600);
    hand_over_about(&app.app.db, newsletter, subject, now, expires).await
}

/// The report that the mail of an issue came back.
async fn came_back(app: &TestApp, issue: IssueId) -> Taken {
    let mail = Mail::Issue(issue, reader(app).await);
    let path = verp::address(&app.app.keys, "bounces.example.org", mail);
    let report = dsn("failed", "5.1.1", GONE);
    take(&app.app, &report, Some(&path)).await.unwrap()
}

/// An app with a reader of a newsletter who got an issue.
async fn sent(relay: &SmtpServer) -> (TestApp, Newsletter, IssueId) {
    let app = app_with(relay, |_| {}).await;
    let premium = app.newsletter("premium").await;
    crate::support::issues::subscribe(&app, &premium, 1).await;
    let first = hand_over(&app, &premium, "First").await;
    until(&app, first, |p| p.state == MailingState::Finished).await;
    (app, premium, first)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_and_a_relays_refusal_of_one_reader_do_not_deadlock() {
    if server_needed().is_none() {
        return;
    }
    let relay = SmtpServer::start().await;
    let (app, premium, first) = sent(&relay).await;
    relay.say(At::Rcpt, "reader1@", GONE);
    let held = app.app.db.write_txn("test").await.unwrap();
    run(&*held, "UPDATE subscription SET reason = reason", [])
        .await
        .unwrap();
    let (taken, ()) = tokio::join!(came_back(&app, first), async {
        app.wait_until_blocked(1).await;
        let second = hand_over(&app, &premium, "Second").await;
        app.wait_until_blocked(2).await;
        tokio::time::sleep(LOOKED).await;
        held.commit().await.unwrap();
        until(&app, second, |p| p.state == MailingState::Finished).await;
    });
    assert_eq!(taken, Taken::Stopped(Kind::Hard));
    let bounced = "SELECT COUNT(*) FROM subscription WHERE state = 4";
    assert_eq!(app.count(bounced).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_and_a_fresh_opt_in_of_one_reader_do_not_deadlock() {
    if server_needed().is_none() {
        return;
    }
    let app = TestApp::start().await;
    let premium = app.newsletter("premium").await;
    let browser = app.reader();
    subscribe(&app, &browser, READER).await;
    let issues = [
        hand_over(&app, &premium, "First").await,
        hand_over(&app, &premium, "Second").await,
    ];
    for issue in issues {
        until(&app, issue, |p| p.state == MailingState::Finished).await;
    }
    assert_eq!(came_back(&app, issues[0]).await, Taken::Stopped(Kind::Hard));
    app.advance(Duration::from_secs(24 * 3_600));
    let before = app.mails_to(READER).await.len();
    ask(&app, &browser, READER).await.expect(200);
    let mail = app.mail_to(READER, before + 1).await;
    let page = browser.get(&mail.link("/confirm/")).await.expect(200);
    let held = app.app.db.write_txn("test").await.unwrap();
    run(&*held, "SELECT 1 FROM reader FOR UPDATE", [])
        .await
        .unwrap();
    let confirming = async {
        app.wait_until_blocked(1).await;
        browser.submit(page.the_form()).await.expect(200)
    };
    let (taken, _, ()) = tokio::join!(came_back(&app, issues[1]), confirming, async {
        app.wait_until_blocked(2).await;
        tokio::time::sleep(LOOKED).await;
        held.commit().await.unwrap();
    });
    assert_eq!(taken, Taken::Stopped(Kind::Hard));
    assert_eq!(state_of(&app, READER).await, 1, "the opt-in came last");
    assert_eq!(app.count("SELECT COUNT(*) FROM suppression").await, 0);
}
