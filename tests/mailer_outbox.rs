//! Single mails: from the transaction of their cause to the relay, or a row that says why not.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use canvass::config::InDoubt;
use canvass::db;
use canvass::mailer::outbox;
use tokio::time::Instant;

use crate::support::app::TestApp;
use crate::support::issues::{app_with, hand_over, subscribe};
use crate::support::single_mails::{enqueue, mail};
use crate::support::smtp_server::{Act, At, SmtpServer};
use crate::support::wait::PATIENCE;

async fn wait_for_state(app: &TestApp, state: i16, n: i64) {
    let sql = format!("SELECT COUNT(*) FROM outbox WHERE state = {state}");
    app.wait_until(&sql, n).await;
}

#[tokio::test]
async fn a_mail_is_at_the_relay_within_a_second_of_its_commit_while_an_issue_goes_out() {
    let server = SmtpServer::start().await;
    server.rule(
        At::Dot,
        "reader",
        Act::Wait(Duration::from_millis(50)),
        None,
    );
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 600).await;
    hand_over(&app, &daily, Duration::ZERO).await;
    server.wait_for(5, PATIENCE).await;
    let mut took = Vec::new();
    for n in 0..9 {
        let to = format!("ada{n}@example.org");
        enqueue(&app, &to).await;
        let committed = Instant::now();
        let came = server.mail_to(&to, PATIENCE).await;
        took.push(committed.elapsed());
        assert!(came.raw.contains("Auto-Submitted: auto-generated"));
    }
    assert!(server.count() < 609, "the issue was still going out");
    took.sort_unstable();
    // A busy machine may stall for longer, but not at most of them.
    assert!(took[4] < Duration::from_secs(1), "{took:?}");
}

/// Only the commit rings the bell: neither an early look nor a rolled-back transaction does.
#[tokio::test]
async fn a_mail_is_announced_by_its_commit_and_by_nothing_else() {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    let bell = app.app.db.bell();
    let before = bell.rung();
    let given_up = app.app.db.write_txn("test").await.unwrap();
    outbox::enqueue(&given_up, &app.app, &mail(&app.app, "ada@example.org"))
        .await
        .unwrap();
    drop(given_up);
    let txn = app.app.db.write_txn("test").await.unwrap();
    outbox::enqueue(&txn, &app.app, &mail(&app.app, "bob@example.org"))
        .await
        .unwrap();
    // Longer than a lane takes to look, and to poll again by itself.
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(bell.rung(), before);
    txn.commit().await.unwrap();
    assert_eq!(bell.rung(), before + 1);
    server.mail_to("bob@example.org", PATIENCE).await;
    // The caller may be gone: the commit still rings the bell.
    let txn = app.app.db.write_txn("test").await.unwrap();
    outbox::enqueue(&txn, &app.app, &mail(&app.app, "cyd@example.org"))
        .await
        .unwrap();
    let gone = futures::FutureExt::now_or_never(txn.commit());
    assert!(gone.is_none(), "dropped while it commits");
    server.mail_to("cyd@example.org", PATIENCE).await;
    assert_eq!(bell.rung(), before + 2);
}

#[tokio::test]
async fn a_mail_whose_transaction_is_rolled_back_never_was() {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    outbox::enqueue(&txn, &app.app, &mail(&app.app, "ada@example.org"))
        .await
        .unwrap();
    drop(txn);
    enqueue(&app, "bob@example.org").await;
    server.mail_to("bob@example.org", PATIENCE).await;
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_refusal_for_now_is_tried_again_and_one_for_good_is_not() {
    let server = SmtpServer::start().await;
    server.rule(
        At::Rcpt,
        "later@",
        Act::Say("451 4.7.1 greylisted".into()),
        Some(1),
    );
    server.say(At::Rcpt, "never@", "550 5.1.1 no such user");
    let app = app_with(&server, |_| {}).await;
    enqueue(&app, "later@example.org").await;
    enqueue(&app, "never@example.org").await;
    wait_for_state(&app, 3, 1).await;
    let told =
        "SELECT COUNT(*) FROM outbox WHERE state = 3 AND reply LIKE '550 5.1.1%' AND payload = ''";
    assert_eq!(app.count(told).await, 1, "why, and without the payload");
    assert_eq!(server.count(), 0);
    app.advance(Duration::from_secs(60));
    server.mail_to("later@example.org", PATIENCE).await;
    wait_for_state(&app, 2, 1).await;
}

#[tokio::test]
async fn a_loss_after_the_dot_keeps_the_message_id() {
    let server = SmtpServer::start().await;
    server.rule(At::Dot, "", Act::Drop, Some(1));
    let app = app_with(&server, |_| {}).await;
    enqueue(&app, "ada@example.org").await;
    server.wait_for(1, PATIENCE).await;
    wait_for_state(&app, 0, 1).await;
    app.advance(Duration::from_secs(10));
    let mails = server.wait_for(2, PATIENCE).await;
    assert_eq!(mails[0].message_id, mails[1].message_id);
    wait_for_state(&app, 2, 1).await;
}

#[tokio::test]
async fn a_loss_after_the_dot_is_held_where_the_policy_says_so() {
    let server = SmtpServer::start().await;
    server.rule(At::Dot, "", Act::Drop, Some(1));
    let app = app_with(&server, |config| config.mail.in_doubt = InDoubt::Hold).await;
    enqueue(&app, "ada@example.org").await;
    wait_for_state(&app, 4, 1).await;
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn a_mail_that_nobody_could_send_in_time_expires() {
    let server = SmtpServer::start().await;
    server.say(At::Rcpt, "", "450 4.2.0 not today");
    let app = app_with(&server, |_| {}).await;
    enqueue(&app, "ada@example.org").await;
    let tried = "SELECT COUNT(*) FROM outbox WHERE attempt = 1 AND state = 0";
    app.wait_until(tried, 1).await;
    app.advance(Duration::from_secs(2 * 3_600));
    wait_for_state(&app, 5, 1).await;
}

#[tokio::test]
async fn payloads_cannot_be_read_at_rest() {
    let server = SmtpServer::start().await;
    server.say(At::Greeting, "", "421 4.3.2 not now");
    let app = app_with(&server, |_| {}).await;
    enqueue(&app, "ada@example.org").await;
    let rows = db::fetch_all(app.app.db.read(), "SELECT payload FROM outbox", []).await;
    let payload: String = rows.unwrap()[0].try_get_by_index(0).unwrap();
    // Neither as it stands nor decoded, after the sign of its key.
    let decoded = URL_SAFE_NO_PAD.decode(&payload[1..]).unwrap();
    assert!(decoded.len() > 100, "{payload}");
    for text in ["ada@example.org", "ada@", "/confirm/"] {
        assert!(!payload.contains(text), "{text} in {payload}");
        let found = decoded.windows(text.len()).any(|w| w == text.as_bytes());
        assert!(!found, "{text} in {payload}, decoded");
    }
}

#[tokio::test]
async fn the_wait_before_the_next_try_begins_with_the_answer() {
    let server = SmtpServer::start().await;
    let slow = Act::Wait(Duration::from_secs(4));
    server.rule(At::Mail, "", slow, Some(1));
    server.say(At::Rcpt, "", "450 4.2.0 greylisted");
    let app = app_with(&server, |_| {}).await;
    enqueue(&app, "ada@example.org").await;
    app.wait_until("SELECT fence FROM outbox", 1).await;
    app.advance(Duration::from_secs(600));
    app.wait_until("SELECT attempt FROM outbox", 1).await;
    let next = app.count("SELECT not_before_ms FROM outbox").await;
    let wait = next - app.app.clock.now().0;
    assert!((20_000..40_000).contains(&wait), "{wait} ms");
}

#[tokio::test]
async fn what_was_finished_a_month_ago_is_removed_but_not_what_is_in_doubt() {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    let now = app.app.clock.now();
    for (state, days) in [(2i16, 31), (3, 31), (4, 31), (5, 31), (2, 29)] {
        let finished = now - Duration::from_secs(days * 24 * 3_600);
        db::run(
            &*txn,
            "INSERT INTO outbox (priority, template, payload, message_id, state, not_before_ms, expires_ms, created_ms, finished_ms)
             VALUES (0, 'x', '', 'x', $1, 1, 2, 1, $2)",
            [state.into(), finished.0.into()],
        )
        .await
        .unwrap();
    }
    txn.commit().await.unwrap();
    // The server also does this at its start and every hour, so it may have been first.
    outbox::purge(&app.app).await.unwrap();
    assert_eq!(outbox::purge(&app.app).await.unwrap(), 0);
    let left = "SELECT COUNT(*) FROM outbox WHERE state IN (2, 4)";
    assert_eq!(app.count(left).await, 2);
}
