//! A relay that refuses us and not the recipient: a block list, a failed DMARC check, a mail that is too large. Other
//! relays take over, the issue pauses before many readers have lost their mail, and single mails stay queued.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use canvass::db;
use canvass::mailer::mailing::{self, AllowedAgain, MailingState, Reason, Steer};
use canvass::mailer::{self, BreakerState};
use canvass::types::UnixMillis;

use crate::support::app::TestApp;
use crate::support::issues::{
    app_of, app_with, by, hand_over, many_readers_at, progress, readers_at, relay, steer,
    the_ledger_agrees, until,
};
use crate::support::single_mails::enqueue;
use crate::support::smtp_server::{Act, At, Offers, SmtpServer};
use crate::support::wait::PATIENCE;

const BLOCKED: &str = "554 5.7.1 Service unavailable; Client host blocked using zen.example";
const HOUR: Duration = Duration::from_secs(3_600);

/// An app with a relay at each of the servers.
async fn app_at(servers: &[&SmtpServer]) -> TestApp {
    let relays = servers.iter().enumerate();
    let relays = relays.map(|(n, server)| relay(&format!("relay {n}"), server.url()));
    app_of(relays.collect(), |_| {}).await
}

#[tokio::test]
async fn what_one_relay_refuses_because_of_us_goes_through_the_other() {
    for at in [At::Mail, At::Dot] {
        let (blocking, well) = (SmtpServer::start().await, SmtpServer::start().await);
        blocking.say(at, "", BLOCKED);
        let app = app_at(&[&blocking, &well]).await;
        let daily = app.newsletter("daily").await;
        readers_at(&app, &daily, "example.org", 150).await;
        let issue = hand_over(&app, &daily, Duration::ZERO).await;
        let over = [MailingState::Finished, MailingState::Paused];
        let done = until(&app, issue, |p| over.contains(&p.state)).await;
        assert_eq!(done.state, MailingState::Finished, "{at:?}: {done:?}");
        assert_eq!((done.counts.sent, well.count()), (150, 150), "{at:?}");
        let tried = blocking.commands("MAIL");
        assert!(
            (10..=30).contains(&tried),
            "{at:?}: it was asked {tried} times"
        );
        let status = &mailer::status(&app.app).relays[0];
        assert_ne!(status.breaker, BreakerState::Closed, "{at:?}");
        assert_eq!(status.breaker_words, BLOCKED, "{at:?}");
        the_ledger_agrees(&app, issue).await;
    }
}

#[tokio::test]
async fn an_issue_that_every_relay_refuses_pauses_after_ten_over_all_lanes() {
    for (at, reply) in [
        (At::Mail, BLOCKED),
        (At::Data, "554 5.5.1 no"),
        (At::Dot, "550 5.7.1 DMARC fail"),
    ] {
        let server = SmtpServer::start().await;
        server.say(at, "", reply);
        let app = app_with(&server, |config| config.mail.connections = 10).await;
        let daily = app.newsletter("daily").await;
        readers_at(&app, &daily, "example.org", 120).await;
        let issue = hand_over(&app, &daily, Duration::ZERO).await;
        until(&app, issue, |p| p.state == MailingState::Paused).await;
        crate::support::issues::at_rest(&app, issue).await;
        let paused = progress(&app, issue).await;
        let failed = paused.counts.failed;
        assert!((10..=20).contains(&failed), "{at:?}: {failed} failed");
        assert_eq!(paused.counts.queued, 120 - failed, "{at:?}");
        let (codes, _) = reply.split_at(9);
        let why = format!("the relay refuses our mail ({codes}); see the last replies");
        assert_eq!(paused.reason, why);

        server.forgive();
        steer(&app, issue, Steer::Resume).await;
        let txn = app.app.db.write_txn("test").await.unwrap();
        let ours = &[Reason::Ours];
        mailing::resend_failed(&app.app, &txn, issue, ours, &by(&app))
            .await
            .unwrap();
        txn.commit().await.unwrap();
        let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
        assert_eq!((done.counts.sent, server.count()), (120, 120), "{at:?}");
        the_ledger_agrees(&app, issue).await;
    }
}

#[tokio::test]
async fn while_another_relay_rests_nobody_is_failed() {
    let (blocking, away) = (SmtpServer::start().await, SmtpServer::start().await);
    blocking.say(At::Mail, "", BLOCKED);
    away.refuse_connections();
    let app = app_at(&[&blocking, &away]).await;
    let daily = app.newsletter("daily").await;
    readers_at(&app, &daily, "example.org", 60).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let paused = until(&app, issue, |p| p.state == MailingState::Paused).await;
    assert_eq!(paused.counts.failed, 0, "{paused:?}");
    the_ledger_agrees(&app, issue).await;
}

#[tokio::test]
async fn a_single_mail_that_is_refused_because_of_us_waits_and_comes() {
    for at in [At::Mail, At::Dot] {
        let server = SmtpServer::start().await;
        server.say(at, "", BLOCKED);
        let app = app_with(&server, |_| {}).await;
        for n in 0..3 {
            enqueue(&app, &format!("ada{n}@example.org")).await;
        }
        let waits = "SELECT COUNT(*) FROM outbox WHERE state = 0 AND attempt = 1 AND reply LIKE '554 5.7.1%'";
        app.wait_until(waits, 3).await;
        server.forgive();
        app.advance(HOUR / 2);
        app.wait_until("SELECT COUNT(*) FROM outbox WHERE state = 2", 3)
            .await;
        assert_eq!(server.count(), 3);

        // Nobody fixes it: the mail expires, and the last reply is kept.
        server.say(at, "", BLOCKED);
        enqueue(&app, "late@example.org").await;
        app.wait_until(waits, 1).await;
        app.advance(HOUR);
        let over = "SELECT COUNT(*) FROM outbox WHERE state = 5 AND payload = '' AND reply LIKE '%554 5.7.1%'";
        app.wait_until(over, 1).await;
    }
}

#[tokio::test]
async fn a_single_mail_goes_to_the_relay_that_takes_it() {
    let (blocking, well) = (SmtpServer::start().await, SmtpServer::start().await);
    blocking.say(At::Dot, "", BLOCKED);
    let app = app_at(&[&blocking, &well]).await;
    for n in 0..12 {
        enqueue(&app, &format!("ada{n}@example.org")).await;
    }
    app.wait_until("SELECT COUNT(*) FROM outbox WHERE state = 2", 12)
        .await;
    assert_eq!(well.count(), 12);
}

#[tokio::test]
async fn who_asks_again_for_a_mail_that_never_left_gets_it_at_once() {
    let server = SmtpServer::start().await;
    server.say(At::Mail, "", BLOCKED);
    let app = app_with(&server, |_| {}).await;
    app.newsletter("daily").await;
    let ask = async || {
        let fields = [("email", "anna@example.org"), ("consent", "on")];
        app.reader()
            .post("/subscribe/daily", &fields)
            .await
            .expect(200);
    };
    ask().await;
    let waits = "SELECT COUNT(*) FROM outbox WHERE state = 0 AND attempt = 1";
    app.wait_until(waits, 1).await;
    server.forgive();
    ask().await;
    let came = server.mail_to("anna@example.org", PATIENCE).await;
    assert!(came.raw.contains("/confirm/"));
    assert_eq!(
        server.count(),
        1,
        "one mail, however often it was asked for"
    );
}

#[tokio::test]
async fn a_mail_larger_than_the_relay_takes_is_not_tried_there() {
    let offering = async |size| {
        SmtpServer::offering(Offers {
            size: Some(size),
            ..Offers::default()
        })
        .await
    };
    let small = offering(1_000).await;
    let app = app_at(&[&small]).await;
    let daily = app.newsletter("daily").await;
    readers_at(&app, &daily, "example.org", 40).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let paused = until(&app, issue, |p| p.state == MailingState::Paused).await;
    assert_eq!(paused.counts.queued, 40, "nobody failed: {paused:?}");
    assert!(
        paused
            .reason
            .starts_with("too large for the relay: the mail has ")
    );
    assert!(
        paused.reason.ends_with("takes at most 1000"),
        "{}",
        paused.reason
    );
    assert_eq!(small.commands("MAIL"), 0);

    let large = offering(1_000_000).await;
    let app = app_at(&[&small, &large]).await;
    let daily = app.newsletter("daily").await;
    readers_at(&app, &daily, "example.org", 40).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!((done.counts.sent, large.count()), (40, 40));
    assert_eq!(small.commands("MAIL"), 0);
    assert!(large.received()[0].commands[0].contains(" SIZE="));
    the_ledger_agrees(&app, issue).await;
}

#[tokio::test]
async fn what_was_said_before_a_close_decides() {
    for pipelining in [true, false] {
        let server = SmtpServer::offering(Offers {
            pipelining,
            ..Offers::default()
        })
        .await;
        let gone = "550 5.1.1 no such user".to_owned();
        server.rule(At::Rcpt, "@gone", Act::SayAndDrop(gone), None);
        let busy = "421 4.3.2 closing".to_owned();
        server.rule(At::Rcpt, "r2@example.org", Act::SayAndDrop(busy), Some(1));
        let app = app_with(&server, |_| {}).await;
        let daily = app.newsletter("daily").await;
        readers_at(&app, &daily, "example.org", 30).await;
        for n in 0..4 {
            readers_at(&app, &daily, &format!("gone{n}.example"), 1).await;
        }
        let issue = hand_over(&app, &daily, Duration::ZERO).await;
        let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
        assert_eq!((done.counts.sent, done.counts.failed), (30, 4), "{done:?}");
        assert_eq!(app.count("SELECT COUNT(*) FROM suppression").await, 4);
        let spent = "SELECT COUNT(*) FROM delivery WHERE attempt > 1";
        assert_eq!(app.count(spent).await, 0, "a 421 costs no attempt");
    }
}

#[tokio::test]
async fn a_refusal_of_us_before_a_close_is_one() {
    let server = SmtpServer::start().await;
    server.rule(At::Mail, "", Act::SayAndDrop(BLOCKED.to_owned()), None);
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    readers_at(&app, &daily, "example.org", 60).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let paused = until(&app, issue, |p| p.state == MailingState::Paused).await;
    assert!(paused.reason.contains("554 5.7.1"), "{}", paused.reason);
}

/// A provider whose directory is down denies every address, in the middle of an issue.
#[tokio::test]
async fn bounces_are_judged_throughout_and_given_back_together() {
    let server = SmtpServer::start().await;
    let asked = AtomicUsize::new(0);
    server.whim(move |at, _| {
        let late = at == At::Rcpt && asked.fetch_add(1, Ordering::SeqCst) >= 1_100;
        late.then(|| Act::Say("550 5.1.1 does not exist".to_owned()))
    });
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    many_readers_at(&app, &daily, "example.org", 1_400).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| p.state == MailingState::Paused).await;
    crate::support::issues::at_rest(&app, issue).await;
    let paused = progress(&app, issue).await;
    let failed = paused.counts.failed;
    assert!(
        paused.reason.contains("addresses do not exist"),
        "{}",
        paused.reason
    );
    assert!((20..=60).contains(&failed), "{failed} failed");
    assert!((1_050..=1_100).contains(&paused.counts.sent));

    // A reader has complained since: that suppression stays.
    let txn = app.app.db.write_txn("test").await.unwrap();
    let complained = "UPDATE suppression SET reason = 2 WHERE address_hash = (SELECT address_hash FROM suppression ORDER BY address_hash LIMIT 1)";
    db::run(&*txn, complained, []).await.unwrap();
    txn.commit().await.unwrap();
    let early = (UnixMillis(0), UnixMillis(1));
    let given = mailing::allow_again(&app.app, issue, early.0, early.1)
        .await
        .unwrap();
    assert_eq!(given, AllowedAgain::default(), "another time");
    let (from, until_then) = (UnixMillis(0), app.app.clock.now() + HOUR);
    let given = mailing::allow_again(&app.app, issue, from, until_then)
        .await
        .unwrap();
    let all = u64::try_from(failed).unwrap() - 1;
    assert_eq!((given.addresses, given.subscriptions), (all, all));
    assert_eq!(app.count("SELECT COUNT(*) FROM suppression").await, 1);
    let active = "SELECT COUNT(*) FROM subscription WHERE state = 1";
    assert_eq!(app.count(active).await, 1_399);
    let again = mailing::allow_again(&app.app, issue, from, until_then)
        .await
        .unwrap();
    assert_eq!(again, AllowedAgain::default(), "once");
}
