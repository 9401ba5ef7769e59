//! Sending issues: a real app, a real database, a mail server that misbehaves.

use std::collections::BTreeSet;
use std::time::Duration;

use canvass::config::InDoubt;
use canvass::db;
use canvass::mailer::mailing::{self, Change, MailingState, Reason, Steer};

use crate::support::issues::{
    app_with, at_rest, hand_over, hand_over_about, progress, steer, subscribe, the_ledger_agrees,
    until,
};
use crate::support::smtp_server::{Act, At, SmtpServer};
use crate::support::wait::PATIENCE;

#[tokio::test]
async fn every_reader_gets_one_mail() {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 120).await;
    assert_eq!(
        mailing::audience(app.app.db.read(), daily.id)
            .await
            .unwrap(),
        120
    );
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!((done.counts.audience, done.counts.sent), (120, 120));
    let mails = server.received();
    let to: BTreeSet<&str> = mails.iter().map(|m| m.to.as_str()).collect();
    let ids: BTreeSet<&str> = mails.iter().map(|m| m.message_id.as_str()).collect();
    assert_eq!((mails.len(), to.len(), ids.len()), (120, 120, 120));
    assert!(
        server.connections() <= 4,
        "{} connections",
        server.connections()
    );
    assert_eq!(
        app.count("SELECT COUNT(*) FROM mail_batch").await,
        0,
        "batches have a way out"
    );
    the_ledger_agrees(&app, issue).await;
}

#[tokio::test]
async fn who_left_after_the_cut_off_is_skipped_with_the_reason() {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 6).await;
    let issue = hand_over(&app, &daily, Duration::from_secs(30)).await;
    until(&app, issue, |p| p.counts.audience == 6).await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    for sql in [
        "UPDATE subscription SET state = 2 WHERE reader_id = (SELECT id FROM reader WHERE email = 'reader1@example.org')",
        "UPDATE subscription SET state = 5 WHERE reader_id = (SELECT id FROM reader WHERE email = 'reader2@example.org')",
        "UPDATE reader SET erased_ms = 1 WHERE email = 'reader3@example.org'",
    ] {
        db::run(&*txn, sql, []).await.unwrap();
    }
    let hash = app.app.keys.address_hash("reader4@example.org").to_vec();
    let suppress = "INSERT INTO suppression (address_hash, reason, created_ms) VALUES ($1, 2, 1)";
    db::run(&*txn, suppress, [hash.into()]).await.unwrap();
    txn.commit().await.unwrap();
    assert_eq!(server.count(), 0, "its time has not come");
    app.advance(Duration::from_secs(31));
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!((done.counts.sent, done.counts.skipped), (2, 4));
    let reasons: Vec<(Reason, i64)> = done.reasons.iter().map(|(_, r, n)| (*r, *n)).collect();
    assert_eq!(
        reasons,
        [
            (Reason::Left, 1),
            (Reason::Complained, 1),
            (Reason::Suppressed, 1),
            (Reason::Erased, 1)
        ]
    );
    the_ledger_agrees(&app, issue).await;
}

/// With a slow relay, a lane reads its readers' rows again within half a minute, including those whose mail was opened
/// ahead.
#[tokio::test]
async fn who_leaves_or_is_erased_while_a_batch_is_in_hand_is_not_mailed() {
    let server = SmtpServer::start().await;
    server.rule(At::Dot, "", Act::Wait(Duration::from_secs(5)), Some(1));
    let app = app_with(&server, |config| config.mail.connections = 1).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 5).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    app.wait_until("SELECT COUNT(*) FROM delivery WHERE state = 1", 1)
        .await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    for sql in [
        "UPDATE subscription SET state = 2 WHERE reader_id = (SELECT id FROM reader WHERE email = 'reader2@example.org')",
        "UPDATE reader SET erased_ms = 1 WHERE email = 'reader4@example.org'",
    ] {
        db::run(&*txn, sql, []).await.unwrap();
    }
    txn.commit().await.unwrap();
    app.advance(Duration::from_secs(31));
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!((done.counts.sent, done.counts.skipped), (3, 2), "{done:?}");
    let to: BTreeSet<String> = server.received().into_iter().map(|m| m.to).collect();
    assert_eq!(to.len(), 3);
    assert!(!to.contains("reader2@example.org") && !to.contains("reader4@example.org"));
    the_ledger_agrees(&app, issue).await;
}

#[tokio::test]
async fn what_is_deferred_comes_back_and_what_is_refused_does_not() {
    let server = SmtpServer::start().await;
    server.rule(
        At::Rcpt,
        "reader2@",
        Act::Say("450 4.2.0 greylisted".into()),
        Some(1),
    );
    server.rule(
        At::Dot,
        "reader3@",
        Act::Say("451 4.3.0 later".into()),
        Some(1),
    );
    server.say(At::Rcpt, "reader4@", "550 5.1.1 no such user");
    server.say(At::Dot, "reader5@", "554 5.7.1 not from you");
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 8).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let first = until(&app, issue, |p| {
        p.counts.queued == 0 && p.counts.deferred == 2
    })
    .await;
    assert_eq!((first.counts.sent, first.counts.failed), (4, 2));
    assert_eq!(first.state, MailingState::Sending);
    the_ledger_agrees(&app, issue).await;
    app.advance(Duration::from_secs(15 * 60));
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!(
        (done.counts.sent, done.counts.failed, done.counts.deferred),
        (6, 2, 0)
    );
    the_ledger_agrees(&app, issue).await;
    assert_eq!(server.count(), 6);
    let words = "SELECT COUNT(*) FROM delivery_attempt WHERE reply LIKE '%no such user%' AND enhanced = '5.1.1'";
    assert_eq!(app.count(words).await, 1, "the server's words are kept");
    assert_eq!(
        app.count("SELECT COUNT(*) FROM suppression").await,
        1,
        "only the hard bounce"
    );
}

#[tokio::test]
async fn a_loss_after_the_dot_is_sent_again_with_the_same_message_id() {
    let server = SmtpServer::start().await;
    server.rule(At::Dot, "reader2@", Act::Drop, Some(1));
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 4).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| {
        p.counts.sent == 3 && p.counts.deferred == 1
    })
    .await;
    at_rest(&app, issue).await;
    app.advance(Duration::from_secs(60));
    until(&app, issue, |p| {
        p.state == MailingState::Finished && p.counts.sent == 4
    })
    .await;
    let mails = server.received();
    let twice: Vec<_> = mails
        .iter()
        .filter(|m| m.to == "reader2@example.org")
        .collect();
    assert_eq!((mails.len(), twice.len()), (5, 2));
    assert_eq!(twice[0].message_id, twice[1].message_id);
    the_ledger_agrees(&app, issue).await;
}

#[tokio::test]
async fn a_loss_after_the_dot_is_held_where_the_policy_says_so() {
    let server = SmtpServer::start().await;
    server.rule(At::Dot, "reader2@", Act::Drop, Some(1));
    let app = app_with(&server, |config| config.mail.in_doubt = InDoubt::Hold).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 4).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!((done.counts.sent, done.counts.unknown), (3, 1));
    assert_eq!(server.count(), 4);
    the_ledger_agrees(&app, issue).await;
}

#[tokio::test]
async fn pause_resume_and_cancel_keep_the_numbers_true() {
    let server = SmtpServer::start().await;
    server.rule(At::Dot, "", Act::Wait(Duration::from_millis(20)), None);
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 200).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    server.wait_for(20, PATIENCE).await;
    assert_eq!(steer(&app, issue, Steer::Pause).await, Change::Done);
    let at_pause = server.count();
    at_rest(&app, issue).await;
    let after = server.count();
    assert!(
        after <= at_pause + 3,
        "{at_pause} at the pause, then {after}"
    );
    let paused = progress(&app, issue).await;
    assert_eq!(paused.state, MailingState::Paused);
    assert_eq!(paused.counts.sent, i64::try_from(after).unwrap());

    assert_eq!(steer(&app, issue, Steer::Resume).await, Change::Done);
    server.wait_for(after + 20, PATIENCE).await;
    assert_eq!(steer(&app, issue, Steer::Cancel).await, Change::Done);
    let done = until(&app, issue, |p| p.state == MailingState::Cancelled).await;
    assert_eq!(done.counts.sent, i64::try_from(server.count()).unwrap());
    assert_eq!(
        (done.counts.queued, done.counts.sent + done.counts.skipped),
        (0, 200)
    );
    let to: BTreeSet<String> = server.received().into_iter().map(|m| m.to).collect();
    assert_eq!(to.len(), server.count(), "nobody twice");
    the_ledger_agrees(&app, issue).await;
    let late = steer(&app, issue, Steer::Resume).await;
    assert_eq!(late, Change::NotNow(MailingState::Cancelled));
}

/// Its batches were leased but no mail was sent: no reader has a link to it, so the archive does not show it.
#[tokio::test]
async fn an_issue_that_is_cancelled_before_its_first_mail_is_not_in_the_archive() {
    let server = SmtpServer::start().await;
    server.say(At::Rcpt, "reader2@", "550 5.1.1 no such user");
    server.say(At::Rcpt, "", "450 4.3.0 later");
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 5).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| p.counts.deferred == 4).await;
    assert_eq!(steer(&app, issue, Steer::Cancel).await, Change::Done);
    let done = until(&app, issue, |p| p.state == MailingState::Cancelled).await;
    assert_eq!((done.counts.sent, done.counts.skipped), (0, 4));
    assert_eq!(done.started, None);
    let reader = app.reader();
    let archive = reader.get("/archive/daily").await.expect(200);
    assert!(!archive.text().contains("Trust, measured"));
    reader
        .get("/archive/daily/trust--measured")
        .await
        .expect(404);

    server.forgive();
    let (db, now) = (&app.app.db, app.app.clock.now());
    let issue = hand_over_about(db, &daily, "Trust, again", now, now).await;
    until(&app, issue, |p| p.counts.sent == 4).await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    let handed = "UPDATE issue SET handed_ms = 1";
    db::run(&*txn, handed, []).await.unwrap();
    txn.commit().await.unwrap();
    let archive = reader.get("/archive/daily").await.expect(200);
    archive.says("Trust, again");
}

#[tokio::test]
async fn a_relay_that_is_down_costs_no_attempt() {
    let server = SmtpServer::start().await;
    server.say(At::Greeting, "", "421 4.3.2 not now");
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 10).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |_| server.connections() >= 2).await;
    let down = progress(&app, issue).await;
    assert_eq!((down.counts.queued, down.counts.deferred), (10, 0));
    server.forgive();
    until(&app, issue, |p| {
        p.state == MailingState::Finished && p.counts.sent == 10
    })
    .await;
    assert_eq!(app.count("SELECT COUNT(*) FROM delivery_attempt").await, 0);
}

#[tokio::test]
async fn an_issue_that_the_relay_refuses_stops_itself() {
    let server = SmtpServer::start().await;
    server.say(At::Mail, "", "550 5.7.1 you may not send");
    let app = app_with(&server, |config| config.mail.connections = 1).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 100).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let stopped = until(&app, issue, |p| p.state == MailingState::Paused).await;
    assert!(stopped.reason.contains("refuses"), "{}", stopped.reason);
    let stopped = until(&app, issue, |p| p.counts.failed > 0).await;
    assert!(stopped.counts.failed <= 10, "{stopped:?}");
    the_ledger_agrees(&app, issue).await;
}

#[tokio::test]
async fn two_issues_take_turns() {
    let server = SmtpServer::start().await;
    server.rule(At::Dot, "", Act::Wait(Duration::from_millis(2)), None);
    let app = app_with(&server, |config| config.mail.connections = 1).await;
    let (daily, weekly) = (
        app.newsletter("daily").await,
        app.newsletter("weekly").await,
    );
    subscribe(&app, &daily, 300).await;
    let large = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, large, |p| p.counts.sent > 0).await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    db::run(
        &*txn,
        "INSERT INTO subscription (newsletter_id, reader_id, state, confirmed_ms, changed_ms)
         SELECT $1, reader_id, 1, confirmed_ms, changed_ms FROM subscription WHERE reader_id <= 5",
        [weekly.id.0.into()],
    )
    .await
    .unwrap();
    txn.commit().await.unwrap();
    let small = hand_over(&app, &weekly, Duration::ZERO).await;
    until(&app, small, |p| p.state == MailingState::Finished).await;
    assert_ne!(progress(&app, large).await.state, MailingState::Finished);
}
