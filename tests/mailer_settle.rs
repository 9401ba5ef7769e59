//! Orders to resend failed recipients and recipients in doubt: exactly those are sent to, and each once.

use std::collections::BTreeMap;
use std::time::Duration;

use canvass::app::{App, Role};
use canvass::config::InDoubt;
use canvass::db::{self, Backend};
use canvass::mailer::mailing::{
    self, Change, MailingState, OrderKind, Ordered, Reason, Steer, Verdict, Which,
};
use canvass::types::{IssueId, Random};

use crate::support::app::TestApp;
use crate::support::issues::{
    app_with, by, hand_over, progress, steer, subscribe, the_ledger_agrees, until,
};
use crate::support::smtp_server::{Act, At, SmtpServer};
use crate::support::wait::PATIENCE;

const REFUSAL: &str = "554 5.7.1 not from you";

pub async fn resend(app: &TestApp, issue: IssueId, reasons: &[Reason]) -> Ordered {
    let txn = app.app.db.write_txn("test").await.unwrap();
    let by = by(app);
    let done = mailing::resend_failed(&app.app, &txn, issue, reasons, &by);
    let done = done.await.unwrap();
    txn.commit().await.unwrap();
    done
}

pub async fn settle(app: &TestApp, issue: IssueId, which: Which<'_>, verdict: Verdict) -> Ordered {
    let txn = app.app.db.write_txn("test").await.unwrap();
    let by = by(app);
    let done = mailing::settle_unknown(&app.app, &txn, issue, which, verdict, &by);
    let done = done.await.unwrap();
    txn.commit().await.unwrap();
    done
}

/// How often each address was mailed.
fn times(server: &SmtpServer) -> BTreeMap<String, usize> {
    let mut times = BTreeMap::new();
    for mail in server.received() {
        *times.entry(mail.to).or_default() += 1;
    }
    times
}

/// Changes every second sent recipient to refused.
async fn half_failed(app: &TestApp, issue: IssueId) -> i64 {
    let txn = app.app.db.write_txn("test").await.unwrap();
    let failed = db::run(
        &*txn,
        "UPDATE delivery SET state = 4, reason = 9 WHERE issue_id = $1 AND state = 2 AND reader_id % 2 = 0",
        [issue.0.into()],
    );
    let failed = i64::try_from(failed.await.unwrap().rows_affected()).unwrap();
    for (state, reason, n) in [(2i16, 0i16, -failed), (4, 9, failed)] {
        db::run(
            &*txn,
            "INSERT INTO issue_tally (issue_id, state, reason, slot, n) VALUES ($1, $2, $3, 99, $4)",
            [issue.0.into(), state.into(), reason.into(), n.into()],
        )
        .await
        .unwrap();
    }
    txn.commit().await.unwrap();
    failed
}

#[tokio::test]
async fn only_those_that_failed_and_may_still_be_mailed_are_sent_to_again() {
    let server = SmtpServer::start().await;
    server.say(At::Rcpt, "reader4@", "550 5.1.1 no such user");
    server.say(At::Dot, "reader5@", REFUSAL);
    server.say(At::Dot, "reader6@", REFUSAL);
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 20).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!((done.counts.sent, done.counts.failed), (17, 3));
    server.forgive();
    let txn = app.app.db.write_txn("test").await.unwrap();
    let left = "UPDATE subscription SET state = 2 WHERE reader_id = (SELECT id FROM reader WHERE email = 'reader6@example.org')";
    db::run(&*txn, left, []).await.unwrap();
    txn.commit().await.unwrap();
    // After the issue's own expiry: the order sets a new one.
    app.advance(Duration::from_secs(60 * 3_600));

    assert_eq!(
        resend(&app, issue, &[Reason::Refused]).await,
        Ordered::Done(0)
    );
    assert_eq!(progress(&app, issue).await.state, MailingState::Finished);
    let reasons = [Reason::Ours, Reason::BadAddress];
    assert_eq!(resend(&app, issue, &reasons).await, Ordered::Done(3));
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!(
        (done.counts.sent, done.counts.failed, done.counts.skipped),
        (18, 0, 2),
        "reader4 is suppressed, reader6 has left"
    );
    the_ledger_agrees(&app, issue).await;
    let times = times(&server);
    assert_eq!(times.len(), 18);
    assert!(times.values().all(|n| *n == 1), "{times:?}");
    let orders = mailing::orders(app.app.db.read(), issue, 10).await.unwrap();
    assert_eq!(orders.len(), 1, "{orders:?}");
    assert_eq!(
        (orders[0].kind, orders[0].who.as_str(), orders[0].recipients),
        (OrderKind::Resend, "Mara", 3)
    );
    assert_eq!(orders[0].at, by(&app).now);
    // The server's first reply is still there.
    let words = "SELECT COUNT(*) FROM delivery_attempt WHERE reply LIKE '%not from you%'";
    assert_eq!(app.count(words).await, 2);
}

#[tokio::test]
async fn of_many_who_press_at_once_each_recipient_follows_one() {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 300).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| p.state == MailingState::Finished).await;
    let failed = half_failed(&app, issue).await;
    assert_eq!(failed, 150);
    // If several nodes are possible, two give orders, and both send.
    let mut nodes = vec![app.app.clone()];
    if app.app.db.backend() == Backend::Postgres {
        let clock = app.app.clock.clone();
        let second = App::build(app.app.config.clone(), Role::Server, clock, Random::System);
        let second = second.await.unwrap();
        canvass::mailer::start(&second, &tokio_util::task::TaskTracker::new());
        nodes.push(second);
    }
    let presses: Vec<_> = (0..8)
        .map(|n| {
            let (app, who) = (nodes[n % nodes.len()].clone(), by(&app));
            tokio::spawn(async move {
                let txn = app.db.write_txn("test").await.unwrap();
                let done = mailing::resend_failed(&app, &txn, issue, &Reason::FAILURES, &who);
                let done = done.await.unwrap();
                txn.commit().await.unwrap();
                done
            })
        })
        .collect();
    let mut ordered = Vec::new();
    for press in presses {
        ordered.push(press.await.unwrap());
    }
    ordered.retain(|done| *done != Ordered::Done(0));
    assert_eq!(ordered, [Ordered::Done(150)], "one of them was first");
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!((done.counts.sent, done.counts.failed), (300, 0));
    the_ledger_agrees(&app, issue).await;
    let times = times(&server);
    let twice = times.values().filter(|n| **n == 2).count();
    let once = times.values().filter(|n| **n == 1).count();
    assert_eq!((once, twice), (150, 150));
    assert_eq!(app.count("SELECT COUNT(*) FROM mail_batch").await, 0);
}

/// The batches that the failed recipients came from are still open, and are leased again: they must leave these alone.
#[tokio::test]
async fn pressed_while_it_is_paused_in_the_middle_nobody_gets_it_twice() {
    let server = SmtpServer::start().await;
    server.say(At::Dot, "7@", REFUSAL);
    server.rule(At::Dot, "", Act::Wait(Duration::from_millis(5)), None);
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 400).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| p.counts.failed >= 5).await;
    assert_eq!(steer(&app, issue, Steer::Pause).await, Change::Done);
    // The lanes have given their batches back.
    app.wait_until("SELECT COUNT(*) FROM mail_batch WHERE state = 1", 0)
        .await;
    let paused = progress(&app, issue).await;
    assert!(paused.counts.queued > 0, "{paused:?}");
    let failed = paused.counts.failed;
    server.forgive();
    assert_eq!(
        resend(&app, issue, &[Reason::Ours]).await,
        Ordered::Done(failed)
    );
    let waiting = progress(&app, issue).await;
    assert_eq!(waiting.state, MailingState::Paused, "it stays paused");
    assert_eq!(
        (waiting.counts.failed, waiting.counts.deferred),
        (0, failed)
    );
    steer(&app, issue, Steer::Resume).await;
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!(done.counts.sent, 400, "{done:?}");
    let times = times(&server);
    assert_eq!(times.len(), 400);
    assert!(times.values().all(|n| *n == 1), "nobody twice");
    the_ledger_agrees(&app, issue).await;
}

#[tokio::test]
async fn who_is_in_doubt_is_accepted_or_sent_to_again_with_the_same_message_id() {
    let server = SmtpServer::start().await;
    for reader in ["reader2@", "reader3@", "reader4@"] {
        server.rule(At::Dot, reader, Act::Drop, Some(1));
    }
    let app = app_with(&server, |config| config.mail.in_doubt = InDoubt::Hold).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 8).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!((done.counts.sent, done.counts.unknown), (5, 3));

    let keys = [
        "reader2@example.org",
        "reader8@example.org",
        "x@example.org",
    ];
    let keys = keys.map(str::to_owned);
    let named = mailing::readers_named(app.app.db.read(), &keys)
        .await
        .unwrap();
    assert_eq!(named.len(), 2);
    let one = settle(&app, issue, Which::These(&named), Verdict::Accept).await;
    assert_eq!(one, Ordered::Done(1), "reader8 is not in doubt");
    let accepted = progress(&app, issue).await;
    assert_eq!(
        (
            accepted.state,
            accepted.counts.sent,
            accepted.counts.unknown
        ),
        (MailingState::Finished, 6, 2)
    );
    let nobody = settle(&app, issue, Which::These(&[]), Verdict::Resend).await;
    assert_eq!(nobody, Ordered::Done(0));
    let rest = settle(&app, issue, Which::All, Verdict::Resend).await;
    assert_eq!(rest, Ordered::Done(2));
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!((done.counts.sent, done.counts.unknown), (8, 0));
    the_ledger_agrees(&app, issue).await;
    let mut ids: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mail in server.received() {
        ids.entry(mail.to).or_default().push(mail.message_id);
    }
    for (reader, wanted) in [(2, 1), (3, 2), (4, 2), (8, 1)] {
        let ids = &ids[&format!("reader{reader}@example.org")];
        assert_eq!(ids.len(), wanted, "reader{reader}");
        assert!(ids.iter().all(|id| *id == ids[0]), "the same Message-ID");
    }
    let kinds: Vec<_> = mailing::orders(app.app.db.read(), issue, 10).await.unwrap();
    let kinds: Vec<_> = kinds.iter().map(|o| (o.kind, o.recipients)).collect();
    assert_eq!(
        kinds,
        [(OrderKind::SettleResend, 2), (OrderKind::SettleAccept, 1)]
    );
}

#[tokio::test]
async fn what_was_cancelled_is_not_sent_again_but_can_be_settled() {
    let server = SmtpServer::start().await;
    server.rule(At::Dot, "reader1@", Act::Drop, Some(1));
    server.say(At::Dot, "reader2@", REFUSAL);
    server.rule(At::Dot, "", Act::Wait(Duration::from_millis(20)), None);
    let app = app_with(&server, |config| {
        config.mail.in_doubt = InDoubt::Hold;
        config.mail.connections = 1;
    })
    .await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 100).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    server.wait_for(12, PATIENCE).await;
    steer(&app, issue, Steer::Cancel).await;
    let not_yet = resend(&app, issue, &Reason::FAILURES).await;
    assert!(matches!(not_yet, Ordered::NotNow(_)), "{not_yet:?}");
    let done = until(&app, issue, |p| p.state == MailingState::Cancelled).await;
    assert_eq!(
        (done.counts.unknown, done.counts.failed),
        (1, 1),
        "{done:?}"
    );
    let refused = Ordered::NotNow(MailingState::Cancelled);
    assert_eq!(resend(&app, issue, &Reason::FAILURES).await, refused);
    let all = Which::All;
    assert_eq!(settle(&app, issue, all, Verdict::Resend).await, refused);
    let accepted = settle(&app, issue, all, Verdict::Accept).await;
    assert_eq!(accepted, Ordered::Done(1));
    the_ledger_agrees(&app, issue).await;
    let none = resend(&app, IssueId(999), &Reason::FAILURES).await;
    assert_eq!(none, Ordered::Unknown);
}
