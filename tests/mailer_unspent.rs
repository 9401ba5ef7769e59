//! A relay that replies 421 to every message costs no recipient an attempt: the intent is taken back, even if the
//! program is killed around that.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use canvass::mailer::mailing::MailingState;
use canvass::mailer::{self, BreakerState};
use tokio::time::sleep;

use crate::support::app::TestApp;
use crate::support::issues::{
    app_of, app_with, at_rest, hand_over, lanes_at_rest, progress, relay, subscribe,
    the_ledger_agrees, until,
};
use crate::support::single_mails::enqueue;
use crate::support::smtp_server::{Act, At, Offers, SmtpServer};
use crate::support::wait::{self, PATIENCE, Waiting};

const AWAY: &str = "421 4.3.2 closing, come back later";

fn away() -> Act {
    Act::Say(AWAY.to_owned())
}

async fn until_it_rests(app: &TestApp) {
    wait::until("the relay rests", async || {
        mailer::status(&app.app).relays[0].breaker != BreakerState::Closed
    })
    .await;
}

/// Each of the server's recipients got exactly one mail.
fn once_each(server: &SmtpServer, n: usize) {
    let to = server.recipients();
    assert_eq!(to.len(), n);
    assert_eq!(to.iter().collect::<BTreeSet<_>>().len(), n, "nobody twice");
}

#[tokio::test]
async fn who_is_sent_away_after_the_message_is_still_to_be_sent_to_for_the_first_time() {
    let server = SmtpServer::start().await;
    server.rule(At::Dot, "", away(), Some(4));
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 40).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until_it_rests(&app).await;
    let open = "SELECT COUNT(*) FROM delivery WHERE state IN (1, 3)";
    app.wait_until(open, 0).await;
    // The clock stands still: a deferred recipient would not be finished.
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!(done.counts.sent, 40);
    once_each(&server, 40);
    let spent = "SELECT COUNT(*) FROM delivery WHERE attempt > 1";
    assert_eq!(app.count(spent).await, 0);
    assert_eq!(app.count("SELECT COUNT(*) FROM delivery_attempt").await, 0);
    the_ledger_agrees(&app, issue).await;
}

#[tokio::test]
async fn a_relay_that_defers_before_it_knows_the_recipient_costs_nobody_an_attempt() {
    let server = SmtpServer::start().await;
    server.say(At::Mail, "", "452 4.3.1 Insufficient system storage");
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 40).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until_it_rests(&app).await;
    // Two seconds in which it could try again and again.
    sleep(Duration::from_secs(2)).await;
    let tried = server.commands("MAIL");
    assert!(tried <= 10, "{tried} mails in two seconds");
    server.forgive();
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!(done.counts.sent, 40);
    assert_eq!(app.count("SELECT COUNT(*) FROM delivery_attempt").await, 0);
    let spent = "SELECT COUNT(*) FROM delivery WHERE attempt > 1";
    assert_eq!(app.count(spent).await, 0);
}

/// A server that closes an idle connection, or one that has had its number of mails, says so unasked.
#[tokio::test]
async fn a_connection_that_is_closed_between_two_mails_costs_nothing() {
    for (per_second, says) in [
        (0, "421 4.7.0 too many messages in this connection"),
        (2, "421 4.4.2 idle timeout"),
        (2, "451 4.4.2 Timeout waiting for data from client"),
    ] {
        let server = SmtpServer::start().await;
        let accepted = Act::SayAndDrop(format!("250 2.0.0 queued\r\n{says}"));
        server.rule(At::Dot, "", accepted, None);
        let mut paced = relay("", server.url());
        paced.per_second = per_second;
        let app = app_of(vec![paced], |config| config.mail.connections = 1).await;
        let daily = app.newsletter("daily").await;
        subscribe(&app, &daily, 4).await;
        let issue = hand_over(&app, &daily, Duration::ZERO).await;
        let waiting = Waiting::until(&format!("all mails have gone in spite of {says:?}"));
        while progress(&app, issue).await.state != MailingState::Finished {
            let relay = &mailer::status(&app.app).relays[0];
            assert_eq!(relay.breaker, BreakerState::Closed, "{says}: {relay:?}");
            waiting.still(relay).await;
        }
        once_each(&server, 4);
        assert_eq!(server.connections(), 4, "{says}");
        let spent = "SELECT COUNT(*) FROM delivery WHERE attempt > 1 OR code <> 0";
        assert_eq!(app.count(spent).await, 0, "{says}");
        assert_eq!(app.count("SELECT COUNT(*) FROM delivery_attempt").await, 0);
    }
}

/// A server that takes one mail on each connection.
async fn one_mail_each() -> SmtpServer {
    SmtpServer::offering(Offers {
        pipelining: false,
        mails: Some(1),
        ..Offers::default()
    })
    .await
}

/// All lanes are told at about the same time, so no mail is accepted between eight closed connections.
#[tokio::test]
async fn connections_that_are_closed_after_a_mail_are_no_broken_relay() {
    let server = one_mail_each().await;
    for at in [At::Mail, At::Dot] {
        server.rule(at, "", Act::Wait(Duration::from_millis(300)), None);
    }
    let app = app_with(&server, |config| config.mail.connections = 8).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 80).await;
    hand_over(&app, &daily, Duration::ZERO).await;
    let waiting = Waiting::until("each lane has met some closed connections");
    while server.count() < 24 {
        let relay = &mailer::status(&app.app).relays[0];
        assert_eq!(relay.breaker, BreakerState::Closed, "{relay:?}");
        waiting.still(relay).await;
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM delivery_attempt").await, 0);
}

#[tokio::test]
async fn a_connection_that_breaks_after_one_that_was_closed_costs_nothing() {
    let server = one_mail_each().await;
    let asked = AtomicUsize::new(0);
    // The second mail is told that its connection is closed, and the new one breaks.
    server.whim(move |at, _| {
        let third = at == At::Mail && asked.fetch_add(1, Ordering::SeqCst) == 2;
        third.then_some(Act::Drop)
    });
    let app = app_with(&server, |config| config.mail.connections = 1).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 3).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let done = until(&app, issue, |p| p.counts.sent + p.counts.deferred == 3).await;
    assert_eq!(done.counts.deferred, 0);
    once_each(&server, 3);
    assert_eq!(app.count("SELECT COUNT(*) FROM delivery_attempt").await, 0);
}

#[tokio::test]
async fn who_was_deferred_before_is_deferred_again_with_the_attempts_that_were_spent() {
    let server = SmtpServer::start().await;
    let busy = Act::Say("450 4.2.0 greylisted".to_owned());
    server.rule(At::Rcpt, "reader1@", busy, Some(1));
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 5).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| {
        p.counts.sent == 4 && p.counts.deferred == 1
    })
    .await;

    server.rule(At::Dot, "", away(), Some(1));
    app.advance(Duration::from_secs(13 * 60));
    app.app.db.bell().ring();
    until_it_rests(&app).await;
    let before = "SELECT COUNT(*) FROM delivery WHERE state = 3 AND attempt = 1 AND reason = 14 AND code = 450";
    app.wait_until(before, 1).await;
    the_ledger_agrees(&app, issue).await;
    let waits = progress(&app, issue).await.counts;
    assert_eq!((waits.sent, waits.deferred, waits.queued), (4, 1, 0));

    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!(done.counts.sent, 5);
    once_each(&server, 5);
    let second = "SELECT COUNT(*) FROM delivery WHERE state = 2 AND attempt = 2";
    assert_eq!(
        app.count(second).await,
        1,
        "the second attempt, not the third"
    );
    the_ledger_agrees(&app, issue).await;
}

#[tokio::test]
async fn another_relay_takes_at_once_what_the_first_sent_away() {
    let (first, second) = (SmtpServer::start().await, SmtpServer::start().await);
    first.say(At::Dot, "", AWAY);
    let relays = vec![relay("first", first.url()), relay("second", second.url())];
    let app = app_of(relays, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 60).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!((done.counts.sent, first.count()), (60, 0));
    assert!(first.commands("DATA") > 0, "it was tried");
    once_each(&second, 60);
    let spent = "SELECT COUNT(*) FROM delivery WHERE attempt > 1";
    assert_eq!(app.count(spent).await, 0);
}

#[tokio::test]
async fn a_provider_that_throttles_after_the_message_spends_no_attempt() {
    let server = SmtpServer::start().await;
    let throttled = Act::Say("421 4.7.0 [TSS04] temporarily deferred".to_owned());
    server.rule(At::Dot, "reader7@", throttled, Some(2));
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 10).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let waiting = Waiting::until("the provider's pause is over");
    while progress(&app, issue).await.state != MailingState::Finished {
        app.advance(Duration::from_secs(2));
        waiting.still(server.count()).await;
    }
    once_each(&server, 10);
    let spent = "SELECT COUNT(*) FROM delivery WHERE attempt > 1";
    assert_eq!(app.count(spent).await, 0);
    the_ledger_agrees(&app, issue).await;
}

/// Some servers reply 421 to a message that upsets them. It must not block the relay for the others for as long as it
/// is retried.
#[tokio::test]
async fn a_mail_that_is_sent_away_time_and_again_is_put_off_like_any_other() {
    let server = SmtpServer::start().await;
    server.say(At::Dot, "reader7@", AWAY);
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 30).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let put_off = until(&app, issue, |p| p.counts.deferred == 1).await;
    let said = "SELECT COUNT(*) FROM delivery_attempt WHERE attempt = 1 AND code = 421";
    assert_eq!(app.count(said).await, 1, "and the reader's page says why");
    let done = until(&app, issue, |p| p.counts.sent == 29).await;
    assert_eq!((done.counts.deferred, put_off.counts.failed), (1, 0));
    let now = app.app.clock.now().0;
    let waits = format!(
        "SELECT COUNT(*) FROM mail_batch WHERE state = 0 AND attempt = 2 AND not_before_ms > {now}"
    );
    // The relay is left alone for a moment first; then the lanes look for work once more.
    app.wait_until(&waits, 1).await;
    let tried = server.commands("DATA");
    at_rest(&app, issue).await;
    lanes_at_rest(&app).await;
    assert_eq!(server.commands("DATA"), tried, "it waits for its time");
    the_ledger_agrees(&app, issue).await;
}

#[tokio::test]
async fn a_single_mail_that_is_sent_away_goes_again_until_it_is_the_mail_itself() {
    let server = SmtpServer::start().await;
    server.rule(At::Dot, "ada@", away(), Some(2));
    server.say(At::Dot, "bob@", AWAY);
    let app = app_with(&server, |_| {}).await;
    enqueue(&app, "ada@example.org").await;
    server.mail_to("ada@example.org", PATIENCE).await;
    let sent = "SELECT COUNT(*) FROM outbox WHERE state = 2 AND attempt = 1";
    app.wait_until(sent, 1).await;
    enqueue(&app, "bob@example.org").await;
    let put_off =
        "SELECT COUNT(*) FROM outbox WHERE state = 0 AND attempt = 1 AND reply LIKE '421%'";
    app.wait_until(put_off, 1).await;
}
