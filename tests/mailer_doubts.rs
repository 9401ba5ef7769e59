//! A mail in doubt stays in doubt, whatever ends its attempts: if it counted as failed, an order would send it again.

use std::time::Duration;

use canvass::config::InDoubt;
use canvass::db;
use canvass::mailer::mailing::{self, MailingState, Ordered, Reason, Steer, Verdict, Which};
use canvass::types::IssueId;

use crate::mailer_settle::{resend, settle};
use crate::support::app::TestApp;
use crate::support::issues::{app_with, by, hand_over, steer, subscribe, the_ledger_agrees, until};
use crate::support::smtp_server::{Act, At, SmtpServer};

/// Longer than the retry delay after a lost connection, which is 5 s.
const SOON: Duration = Duration::from_secs(10);

/// An issue for five readers; the reply for the second was lost after the dot.
async fn one_in_doubt(server: &SmtpServer) -> (TestApp, IssueId) {
    server.rule(At::Dot, "reader2@", Act::Drop, Some(1));
    let app = app_with(server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 5).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| {
        p.counts.sent == 4 && p.counts.deferred == 1
    })
    .await;
    (app, issue)
}

/// Asserts the end: four are sent, one is unknown, and an order to resend failed ones sends nothing.
async fn nobody_knows(app: &TestApp, issue: IssueId, server: &SmtpServer) {
    let done = until(app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!((done.counts.sent, done.counts.unknown), (4, 1), "{done:?}");
    let taken = server.count();
    let again = resend(app, issue, &Reason::FAILURES).await;
    assert_eq!(again, Ordered::Done(0));
    assert_eq!(server.count(), taken);
    the_ledger_agrees(app, issue).await;
}

async fn run(app: &TestApp, sql: &str) {
    let txn = app.app.db.write_txn("test").await.unwrap();
    let done = db::run(&*txn, sql, []).await.unwrap();
    assert!(done.rows_affected() > 0, "{sql}");
    txn.commit().await.unwrap();
}

const LEFT: &str = "UPDATE subscription SET state = 2 WHERE reader_id = (SELECT id FROM reader WHERE email = 'reader2@example.org')";

#[tokio::test]
async fn lost_after_the_dot_without_time_for_retries() {
    let server = SmtpServer::start().await;
    server.rule(At::Dot, "reader2@", Act::Drop, Some(1));
    let app = app_with(&server, |config| config.mail.retry_hours = 0).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 5).await;
    let issue = hand_over(&app, &daily, Duration::from_secs(1)).await;
    run(&app, "UPDATE mailing SET expires_ms = frozen_ms").await;
    app.advance(SOON);
    nobody_knows(&app, issue, &server).await;
}

#[tokio::test]
async fn asked_for_patience_until_it_was_too_old() {
    let server = SmtpServer::start().await;
    let (app, issue) = one_in_doubt(&server).await;
    server.say(At::Rcpt, "reader2@", "450 4.2.0 later");
    app.advance(SOON);
    app.wait_until(
        "SELECT COUNT(*) FROM delivery_attempt WHERE reply LIKE '%later%'",
        1,
    )
    .await;
    app.advance(Duration::from_secs(50 * 3_600));
    nobody_knows(&app, issue, &server).await;
}

#[tokio::test]
async fn refused_the_second_time() {
    let server = SmtpServer::start().await;
    let (app, issue) = one_in_doubt(&server).await;
    server.say(At::Dot, "reader2@", "554 5.7.1 not from you");
    app.advance(SOON);
    nobody_knows(&app, issue, &server).await;
}

#[tokio::test]
async fn left_in_between() {
    let server = SmtpServer::start().await;
    let (app, issue) = one_in_doubt(&server).await;
    run(&app, LEFT).await;
    app.advance(SOON);
    nobody_knows(&app, issue, &server).await;
    assert_eq!(server.count(), 5, "and is not written to again");
}

#[tokio::test]
async fn left_while_the_server_was_down() {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 5).await;
    let issue = hand_over(&app, &daily, SOON).await;
    until(&app, issue, |p| p.counts.audience == 5).await;
    run(
        &app,
        "INSERT INTO delivery (issue_id, reader_id, state, reason, fence, attempt, at_ms)
         SELECT m.issue_id, r.id, 1, 0, 1, 1, 1 FROM mailing m, reader r WHERE r.email = 'reader2@example.org'",
    )
    .await;
    run(
        &app,
        "UPDATE mail_batch SET state = 1, fence = 1, lease_until_ms = 1, worker = 'gone'",
    )
    .await;
    run(&app, LEFT).await;
    app.advance(SOON * 2);
    nobody_knows(&app, issue, &server).await;
    assert_eq!(server.count(), 4);
}

#[tokio::test]
async fn cancelled_in_between() {
    let server = SmtpServer::start().await;
    let (app, issue) = one_in_doubt(&server).await;
    steer(&app, issue, Steer::Cancel).await;
    let done = until(&app, issue, |p| p.state == MailingState::Cancelled).await;
    assert_eq!((done.counts.sent, done.counts.unknown), (4, 1), "{done:?}");
    the_ledger_agrees(&app, issue).await;
}

/// Like [`one_in_doubt`], with the policy that a person decides.
async fn one_held(server: &SmtpServer) -> (TestApp, IssueId) {
    server.rule(At::Dot, "reader2@", Act::Drop, Some(1));
    let app = app_with(server, |config| config.mail.in_doubt = InDoubt::Hold).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 5).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!((done.counts.sent, done.counts.unknown), (4, 1), "{done:?}");
    (app, issue)
}

async fn send_again(app: &TestApp, issue: IssueId) {
    let ordered = settle(app, issue, Which::All, Verdict::Resend).await;
    assert_eq!(ordered, Ordered::Done(1));
}

#[tokio::test]
async fn ordered_again_and_left_meanwhile() {
    let server = SmtpServer::start().await;
    let (app, issue) = one_held(&server).await;
    run(&app, LEFT).await;
    send_again(&app, issue).await;
    nobody_knows(&app, issue, &server).await;
}

#[tokio::test]
async fn ordered_again_and_refused() {
    let server = SmtpServer::start().await;
    let (app, issue) = one_held(&server).await;
    server.say(At::Dot, "reader2@", "554 5.7.1 not from you");
    send_again(&app, issue).await;
    nobody_knows(&app, issue, &server).await;
}

#[tokio::test]
async fn ordered_again_and_cancelled_before_it_went() {
    let server = SmtpServer::start().await;
    let (app, issue) = one_held(&server).await;
    let (txn, by) = (app.app.db.write_txn("test").await.unwrap(), by(&app));
    let again = mailing::settle_unknown(&app.app, &txn, issue, Which::All, Verdict::Resend, &by);
    assert_eq!(again.await.unwrap(), Ordered::Done(1));
    let cancel = mailing::steer(&app.app, &txn, issue, Steer::Cancel, &by);
    cancel.await.unwrap();
    txn.commit().await.unwrap();
    let done = until(&app, issue, |p| p.state == MailingState::Cancelled).await;
    assert_eq!((done.counts.sent, done.counts.unknown), (4, 1), "{done:?}");
    the_ledger_agrees(&app, issue).await;
}
