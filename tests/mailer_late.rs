//! Issues that take days: daily limits, long pauses, restored backups. Recipients that were never attempted still are.

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use canvass::db::{self, Backend};
use canvass::mailer::mailing::{self, Change, MailingState, Reason, Steer};
use canvass::types::{IssueId, ReaderId, reader_list::packed};

use crate::support::app::TestApp;
use crate::support::issues::{
    app_with, at_rest, edition, hand_over, hand_over_to, steer, subscribe, the_ledger_agrees, until,
};
use crate::support::smtp_server::{Act, At, SmtpServer};

const DELAY: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(24 * 3_600);
const GREYLISTED: &str = "450 4.2.0 greylisted";

async fn run(app: &TestApp, sql: &str, issue: IssueId) {
    let txn = app.app.db.write_txn("test").await.unwrap();
    let done = db::run(&*txn, sql, [issue.0.into()]).await.unwrap();
    assert!(done.rows_affected() > 0, "{sql}");
    txn.commit().await.unwrap();
}

const OLD: &str = "UPDATE mailing SET expires_ms = frozen_ms WHERE issue_id = $1";

#[tokio::test]
async fn without_retries_everybody_is_still_attempted_once() {
    let server = SmtpServer::start().await;
    server.say(At::Rcpt, "reader2@", GREYLISTED);
    let app = app_with(&server, |config| config.mail.retry_hours = 0).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 5).await;
    let issue = hand_over(&app, &daily, DELAY).await;
    run(&app, OLD, issue).await;
    app.advance(DELAY * 2);
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!((done.counts.sent, done.counts.failed), (4, 1), "{done:?}");
    assert_eq!(done.reasons[0].1, Reason::Expired);
    the_ledger_agrees(&app, issue).await;
}

#[tokio::test]
async fn who_is_first_attempted_late_has_the_time_for_retries_from_then() {
    let server = SmtpServer::start().await;
    let once = |reply: &str| Act::Say(reply.to_owned());
    server.rule(At::Rcpt, "reader2@", once(GREYLISTED), Some(1));
    server.say(At::Rcpt, "reader3@", GREYLISTED);
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 5).await;
    let issue = hand_over(&app, &daily, DELAY).await;
    run(&app, OLD, issue).await;
    app.advance(DAY * 5);
    let first = until(&app, issue, |p| p.counts.sent == 3).await;
    assert_eq!(first.counts.failed, 0, "{first:?}");
    until(&app, issue, |p| p.counts.deferred == 2).await;
    at_rest(&app, issue).await;
    app.advance(Duration::from_secs(15 * 60));
    until(&app, issue, |p| p.counts.sent == 4).await;
    app.advance(DAY);
    until(&app, issue, |_| server.commands("RCPT") >= 7).await;
    let waiting = until(&app, issue, |p| p.counts.deferred == 1).await;
    assert_eq!(waiting.counts.failed, 0, "a day is not too long");
    at_rest(&app, issue).await;
    app.advance(DAY);
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!((done.counts.sent, done.counts.failed), (4, 1), "{done:?}");
    assert_eq!(done.reasons[0].1, Reason::Expired);
    the_ledger_agrees(&app, issue).await;
}

#[tokio::test]
async fn who_waited_through_a_long_pause_is_sent_to() {
    let server = SmtpServer::start().await;
    let once = Act::Say(GREYLISTED.to_owned());
    server.rule(At::Rcpt, "reader2@", once, Some(1));
    server.rule(At::Dot, "", Act::Wait(Duration::from_millis(20)), None);
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 120).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| p.counts.deferred == 1).await;
    assert_eq!(steer(&app, issue, Steer::Pause).await, Change::Done);
    app.wait_until("SELECT COUNT(*) FROM mail_batch WHERE state = 1", 0)
        .await;
    let paused = until(&app, issue, |p| p.state == MailingState::Paused).await;
    assert!(paused.counts.queued > 0, "{paused:?}");
    app.advance(DAY * 3);
    assert_eq!(steer(&app, issue, Steer::Resume).await, Change::Done);
    let rest = until(&app, issue, |p| p.counts.queued == 0).await;
    assert_eq!(rest.counts.failed, 0, "{rest:?}");
    // The deferred one may be retried even later.
    app.advance(Duration::from_secs(15 * 60));
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!(done.counts.sent, 120, "{done:?}");
    the_ledger_agrees(&app, issue).await;
}

/// The state of a restored backup that was made while the audience was being frozen: some chunks are written, others
/// not.
async fn restored_half_prepared() -> (TestApp, IssueId, SmtpServer) {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 35).await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    let row = db::fetch_one(
        &*txn,
        "INSERT INTO issue (newsletter_id, slug, subject, body, state, created_ms, updated_ms)
         VALUES ($1, 'half', 'Half', '', 3, 1, 1) RETURNING id",
        [daily.id.0.into()],
    );
    let issue = IssueId(row.await.unwrap().unwrap().try_get_by_index(0).unwrap());
    let stored = serde_json::to_vec(&edition(&daily, "Half")).unwrap();
    let now = app.app.clock.now().0;
    db::run(
        &*txn,
        "INSERT INTO mailing (issue_id, newsletter_id, state, edition, not_before_ms, expires_ms, frozen_ms, prepare_fence)
         VALUES ($1, $2, 0, $3, $4, $4, $4, 4)",
        [issue.0.into(), daily.id.0.into(), stored.into(), now.into()],
    )
    .await
    .unwrap();
    let some = packed(&[ReaderId(1), ReaderId(2)]);
    db::run(
        &*txn,
        "INSERT INTO mail_batch (issue_id, lo, hi, readers, state, not_before_ms) VALUES ($1, 1, 2, $2, 0, 0)",
        [issue.0.into(), some.into()],
    )
    .await
    .unwrap();
    let now = app.app.clock.now();
    let paused = mailing::pause_all(&txn, "restored from a backup", now).await;
    assert_eq!(paused.unwrap(), 1);
    txn.commit().await.unwrap();
    (app, issue, server)
}

#[tokio::test]
async fn an_issue_restored_from_the_middle_of_its_preparation_goes_on_with_all_of_them() {
    let (app, issue, server) = restored_half_prepared().await;
    assert_eq!(steer(&app, issue, Steer::Resume).await, Change::Done);
    let twice = steer(&app, issue, Steer::Resume).await;
    assert!(
        matches!(twice, Change::NotNow(state) if Steer::Resume.has_led_to(state)),
        "{twice:?}"
    );
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!((done.counts.audience, done.counts.sent), (35, 35));
    assert_eq!(server.count(), 35);
    the_ledger_agrees(&app, issue).await;
}

#[tokio::test]
async fn cancelled_in_the_middle_of_its_preparation_an_issue_counts_nobody() {
    let (app, issue, server) = restored_half_prepared().await;
    assert_eq!(steer(&app, issue, Steer::Cancel).await, Change::Done);
    let done = until(&app, issue, |p| p.state == MailingState::Cancelled).await;
    assert_eq!((done.counts.audience, done.counts.skipped), (0, 0));
    assert_eq!(app.count("SELECT COUNT(*) FROM mail_batch").await, 0);
    assert_eq!(server.count(), 0);
}

/// A database so slow that half a minute or more passes with every step: the readers' rows are stale before the first
/// mail.
#[tokio::test]
async fn a_database_that_is_slow_sends_slowly() {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 5).await;
    let clock = app.app.clock.clone();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let slow = std::thread::spawn(move || {
        let step = Duration::from_micros(20);
        while ended.recv_timeout(step) == Err(RecvTimeoutError::Timeout) {
            clock.advance(Duration::from_secs(31));
        }
    });
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    drop(end);
    slow.join().unwrap();
    assert_eq!(done.counts.sent, 5, "{done:?}");
    // Each time a batch was leased, a mail was sent.
    let taken = app.count("SELECT MAX(fence) FROM delivery").await;
    assert!(taken <= 5, "taken {taken} times");
}

/// An issue in *sending* without an audience would be prepared again when it is resumed, for all readers of the
/// newsletter. So no issue is ever in that state, not even if all its readers have left.
#[tokio::test]
async fn an_issue_for_readers_who_all_left_is_over_in_the_commit_that_counts_them() {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 5).await;
    let refuse = match app.app.db.backend() {
        Backend::Sqlite => {
            "CREATE TRIGGER never BEFORE UPDATE ON mailing WHEN NEW.state = 1 AND NEW.audience = 0
             BEGIN SELECT RAISE(ABORT, 'sent to nobody'); END"
        }
        Backend::Postgres => {
            "ALTER TABLE mailing ADD CONSTRAINT never CHECK (state <> 1 OR audience > 0)"
        }
    };
    let txn = app.app.db.write_txn("test").await.unwrap();
    db::run(&*txn, refuse, []).await.unwrap();
    txn.commit().await.unwrap();
    let issue = hand_over_to(&app, &daily, &[ReaderId(999)]).await;
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!((done.counts.audience, server.count()), (0, 0));
    assert!(done.finished.is_some());
    assert_eq!(app.count("SELECT COUNT(*) FROM mailing_only").await, 0);
}
