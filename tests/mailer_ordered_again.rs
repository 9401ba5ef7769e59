//! Two batches of one issue contain the same reader: the one that an order made, and the one the reader came from,
//! which is still open. Only the first sends, and each reader is counted once.

use std::time::Duration;

use canvass::config::InDoubt;
use canvass::db;
use canvass::mailer::mailing::{MailingState, Ordered, Reason, Steer};
use canvass::types::IssueId;

use crate::mailer_settle::resend;
use crate::support::app::TestApp;
use crate::support::issues::{app_with, hand_over, steer, subscribe, the_ledger_agrees, until};
use crate::support::smtp_server::{Act, At, SmtpServer};

const READER: &str = "reader2@example.org";
const DELAY: Duration = Duration::from_secs(30);

async fn run(app: &TestApp, sql: &str, issue: IssueId) {
    let txn = app.app.db.write_txn("test").await.unwrap();
    let done = db::run(&*txn, sql, [issue.0.into()]).await.unwrap();
    assert!(done.rows_affected() > 0, "{sql}");
    txn.commit().await.unwrap();
}

/// An issue for six readers that begins in [`DELAY`]: one of them has failed, and a resend was ordered. The batch it
/// came from is open and not due.
async fn ordered(server: &SmtpServer, in_doubt: InDoubt) -> (TestApp, IssueId) {
    let app = app_with(server, |config| config.mail.in_doubt = in_doubt).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 6).await;
    let issue = hand_over(&app, &daily, DELAY).await;
    until(&app, issue, |p| p.counts.audience == 6).await;
    for sql in [
        "INSERT INTO delivery (issue_id, reader_id, state, reason, fence, attempt, at_ms)
         SELECT $1, id, 4, 10, 1, 1, 1 FROM reader WHERE email = 'reader2@example.org'",
        "INSERT INTO issue_tally (issue_id, state, reason, slot, n) VALUES ($1, 4, 10, 99, 1)",
        "UPDATE mail_batch SET not_before_ms = 9000000000000000, fence = 1 WHERE issue_id = $1",
    ] {
        run(&app, sql, issue).await;
    }
    let again = resend(&app, issue, &[Reason::Ours]).await;
    assert_eq!(again, Ordered::Done(1));
    (app, issue)
}

const FIRST_BATCH_IS_DUE: &str =
    "UPDATE mail_batch SET not_before_ms = 0 WHERE issue_id = $1 AND attempt = 1";

fn mails_to(server: &SmtpServer) -> usize {
    let mails = server.received().into_iter();
    mails.filter(|mail| mail.to == READER).count()
}

#[tokio::test]
async fn a_batch_leaves_alone_who_stands_at_the_dot_in_another() {
    let server = SmtpServer::start().await;
    let slow = Act::Wait(Duration::from_millis(1_200));
    server.rule(At::Dot, READER, slow, None);
    let (app, issue) = ordered(&server, InDoubt::Resend).await;
    app.advance(DELAY + Duration::from_secs(1));
    app.app.db.bell().ring();
    app.wait_until("SELECT COUNT(*) FROM delivery WHERE state = 1", 1)
        .await;
    run(&app, FIRST_BATCH_IS_DUE, issue).await;
    app.app.db.bell().ring();
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!(done.counts.sent, 6, "{done:?}");
    assert_eq!((server.count(), mails_to(&server)), (6, 1));
    the_ledger_agrees(&app, issue).await;
}

/// After a crash both batches find the intent of the second.
async fn after_a_crash(in_doubt: InDoubt) -> (TestApp, IssueId, SmtpServer) {
    let server = SmtpServer::start().await;
    let (app, issue) = ordered(&server, in_doubt).await;
    let left = "UPDATE mail_batch SET state = 1, fence = 1, lease_until_ms = 1, worker = 'gone' WHERE issue_id = $1";
    let intent = "UPDATE delivery SET state = 1, reason = 0, attempt = 3 WHERE issue_id = $1";
    for sql in [FIRST_BATCH_IS_DUE, left, intent] {
        run(&app, sql, issue).await;
    }
    app.advance(DELAY + Duration::from_secs(1));
    until(&app, issue, |p| p.state == MailingState::Finished).await;
    the_ledger_agrees(&app, issue).await;
    (app, issue, server)
}

#[tokio::test]
async fn after_a_crash_one_of_two_batches_sends_again() {
    let (app, _, server) = after_a_crash(InDoubt::Resend).await;
    assert_eq!((server.count(), mails_to(&server)), (6, 1));
    app.stop().await;
}

#[tokio::test]
async fn after_a_crash_one_of_two_batches_holds() {
    let (app, issue, server) = after_a_crash(InDoubt::Hold).await;
    let done = until(&app, issue, |_| true).await;
    assert_eq!((done.counts.sent, done.counts.unknown), (5, 1));
    assert_eq!((server.count(), mails_to(&server)), (5, 0));
    app.stop().await;
}

#[tokio::test]
async fn a_cancel_leaves_alone_who_stands_at_the_dot() {
    let server = SmtpServer::start().await;
    let slow = Act::Wait(Duration::from_millis(1_200));
    server.rule(At::Dot, READER, slow, None);
    let (app, issue) = ordered(&server, InDoubt::Resend).await;
    app.advance(DELAY + Duration::from_secs(1));
    app.app.db.bell().ring();
    app.wait_until("SELECT COUNT(*) FROM delivery WHERE state = 1", 1)
        .await;
    steer(&app, issue, Steer::Cancel).await;
    let done = until(&app, issue, |p| p.state == MailingState::Cancelled).await;
    assert_eq!((done.counts.sent, done.counts.skipped), (1, 5), "{done:?}");
    assert_eq!(mails_to(&server), 1);
    the_ledger_agrees(&app, issue).await;
}
