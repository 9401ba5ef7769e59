//! Politeness: several relays, and the limits of providers and days.

mod relay_limits;

use std::collections::BTreeMap;
use std::time::Duration;

use canvass::mailer::mailing::MailingState;
use canvass::mailer::{self, BreakerState};

use crate::support::issues::{
    app_of, app_with, at_rest, hand_over, lanes_at_rest, progress, readers_at, relay,
    the_ledger_agrees, until,
};
use crate::support::single_mails::enqueue;
use crate::support::smtp_server::{Act, At, SmtpServer};
use crate::support::wait::{self, Waiting};

/// How many mails a server accepted for each domain.
fn domains(server: &SmtpServer) -> BTreeMap<String, usize> {
    let mut domains = BTreeMap::new();
    for mail in server.received() {
        let domain = mail.to.split('@').nth(1).unwrap().to_owned();
        *domains.entry(domain).or_default() += 1;
    }
    domains
}

#[tokio::test]
async fn relays_share_by_weight_and_one_that_fails_is_left_to_the_others() {
    let (heavy, light) = (SmtpServer::start().await, SmtpServer::start().await);
    let mut first = relay("heavy", heavy.url());
    first.weight = 3;
    let app = app_of(vec![first, relay("light", light.url())], |_| {}).await;
    let daily = app.newsletter("daily").await;
    readers_at(&app, &daily, "example.org", 200).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!(heavy.count() + light.count(), 200);
    assert!((25..=80).contains(&light.count()), "{}", light.count());

    // Now the relay with the higher weight refuses: everything goes through the other, and no attempt is spent.
    heavy.say(At::Mail, "", "421 4.3.2 not now");
    let before = light.count();
    let weekly = app.newsletter("weekly").await;
    readers_at(&app, &weekly, "example.net", 60).await;
    let issue = hand_over(&app, &weekly, Duration::ZERO).await;
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!(done.counts.sent, 60);
    assert_eq!(light.count() - before, 60);
    let spent = "SELECT COUNT(*) FROM delivery WHERE attempt > 1";
    assert_eq!(app.count(spent).await, 0);
    assert!(heavy.commands("MAIL") < 200 + 12, "one lane tries, not all");
    let status = mailer::status(&app.app);
    assert_eq!(status.relays[0].name, "heavy");
    assert!(!matches!(status.relays[0].breaker, BreakerState::Closed));
    assert_eq!(status.relays[0].breaker_words, "421 4.3.2 not now");
    assert_eq!(status.relays[1].breaker, BreakerState::Closed);
    assert_eq!(status.relays[1].handed_over, light.count() as u64);
    assert!(!format!("{status:?}").contains("smtp://"));

    // It is tried and used again.
    heavy.forgive();
    let before = heavy.count();
    let monthly = app.newsletter("monthly").await;
    let rests = || {
        let status = mailer::status(&app.app);
        matches!(status.relays[0].breaker, BreakerState::Open { .. })
    };
    // It rests for a minute at most.
    wait::until("the heavy relay is tried again", async || !rests()).await;
    readers_at(&app, &monthly, "example.com", 100).await;
    let issue = hand_over(&app, &monthly, Duration::ZERO).await;
    until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert!(heavy.count() > before + 30, "{}", heavy.count() - before);
}

#[tokio::test]
async fn a_relay_without_its_tls_is_never_used_and_the_others_carry_on() {
    let (plain, good) = (SmtpServer::start().await, SmtpServer::start().await);
    let stripped = format!("smtp+starttls://localhost:{}", plain.port());
    let relays = vec![relay("stripped", stripped), relay("good", good.url())];
    let app = app_of(relays, |_| {}).await;
    let daily = app.newsletter("daily").await;
    readers_at(&app, &daily, "example.org", 40).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!((done.counts.sent, good.count(), plain.count()), (40, 40, 0));
    assert_eq!(plain.commands("MAIL"), 0);
    let status = mailer::status(&app.app);
    assert!(
        status.relays[0]
            .breaker_words
            .contains("does not offer STARTTLS"),
        "{status:?}"
    );
}

#[tokio::test]
async fn a_login_that_fails_spends_nobodys_attempt_and_says_why() {
    let server = SmtpServer::start().await;
    server.say(At::Auth, "", "535 5.7.8 bad credentials");
    let url = format!("smtp://news:wrong@127.0.0.1:{}", server.port());
    let app = app_of(vec![relay("", url)], |_| {}).await;
    let daily = app.newsletter("daily").await;
    readers_at(&app, &daily, "example.org", 20).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let waiting = Waiting::until("the second failure has opened the breaker");
    loop {
        let status = mailer::status(&app.app);
        let relay = &status.relays[0];
        if let BreakerState::Open { failures: 2.., .. } = relay.breaker {
            assert!(!format!("{status:?}").contains("wrong"));
            break;
        }
        waiting.still(relay).await;
    }
    let counts = progress(&app, issue).await.counts;
    assert_eq!((counts.queued, counts.failed, counts.deferred), (20, 0, 0));
}

#[tokio::test]
async fn a_provider_that_throttles_holds_up_nobody_else_and_spends_no_attempts() {
    let server = SmtpServer::start().await;
    let throttled = Act::Say("450 4.7.28 unusual rate of mail".to_owned());
    server.rule(At::Rcpt, "@busy.example", throttled, Some(3));
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    for domain in ["busy.example", "example.org", "example.net"] {
        readers_at(&app, &daily, domain, 40).await;
    }
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    wait::until("the provider rests", async || {
        let domains = mailer::status(&app.app).domains;
        domains
            .first()
            .is_some_and(|busy| busy.waits_until.is_some())
    })
    .await;
    until(&app, issue, |p| p.counts.sent >= 80).await;
    let took = domains(&server);
    assert_eq!((took["example.org"], took["example.net"]), (40, 40));
    assert!(took.get("busy.example").is_none_or(|n| *n < 40), "{took:?}");
    let status = mailer::status(&app.app);
    let busy = &status.domains[0];
    assert_eq!(busy.name, "busy.example");
    assert!(busy.words.contains("unusual rate"));
    assert_eq!(status.relays[0].breaker, BreakerState::Closed);
    let waiting = "SELECT COUNT(*) FROM mail_batch WHERE state < 2 AND provider = 'busy.example'";
    assert!(app.count(waiting).await <= 4, "they wait together");
    // The pauses take seconds of the monotonic clock; the batches' due times are by the app's clock.
    let waiting = Waiting::until("the pauses are over").every(Duration::from_millis(100));
    let done = loop {
        app.advance(Duration::from_secs(4));
        let now = progress(&app, issue).await;
        if now.state == MailingState::Finished {
            break now;
        }
        waiting.still(&now).await;
    };
    assert_eq!((done.counts.sent, server.count()), (120, 120));
    let spent = "SELECT COUNT(*) FROM delivery WHERE attempt > 1";
    assert_eq!(app.count(spent).await, 0);
    the_ledger_agrees(&app, issue).await;
}

#[tokio::test]
async fn an_address_that_cannot_be_mailed_makes_a_days_limit_no_larger() {
    let server = SmtpServer::start().await;
    let mut limited = relay("limited", server.url());
    limited.per_day = 5;
    let app = app_of(vec![limited], |_| {}).await;
    let daily = app.newsletter("daily").await;
    readers_at(&app, &daily, "exam ple.org", 3).await;
    readers_at(&app, &daily, "example.org", 12).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    let day = until(&app, issue, |p| p.counts.sent >= 5).await;
    assert_eq!(day.counts.failed, 3);
    at_rest(&app, issue).await;
    lanes_at_rest(&app).await;
    assert_eq!(server.count(), 5);
}

#[tokio::test]
async fn a_days_limit_is_exact_and_the_rest_goes_the_next_day() {
    let server = SmtpServer::start().await;
    let mut limited = relay("limited", server.url());
    limited.per_day = 30;
    let app = app_of(vec![limited], |_| {}).await;
    let daily = app.newsletter("daily").await;
    readers_at(&app, &daily, "example.org", 75).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| p.counts.sent == 30).await;
    at_rest(&app, issue).await;
    lanes_at_rest(&app).await;
    assert_eq!(server.count(), 30);
    let status = mailer::status(&app.app);
    assert_eq!(
        (status.relays[0].today, status.relays[0].per_day),
        (Some(30), Some(30))
    );
    // A single mail is sent all the same, and is counted.
    enqueue(&app, "urgent@example.org").await;
    server.mail_to("urgent@example.org", wait::PATIENCE).await;
    assert_eq!(server.count(), 31);
    app.wait_until("SELECT granted FROM relay_day", 31).await;
    app.advance(Duration::from_secs(24 * 3_600));
    until(&app, issue, |p| p.counts.sent == 60).await;
    at_rest(&app, issue).await;
    lanes_at_rest(&app).await;
    assert_eq!(server.count(), 61);
    app.advance(Duration::from_secs(24 * 3_600));
    // The issue is two days old by then, and the remaining recipients have not been attempted yet.
    until(&app, issue, |p| p.counts.sent == 75).await;
    the_ledger_agrees(&app, issue).await;
}

#[tokio::test]
async fn greylisting_is_met_by_coming_back_to_the_same_relay() {
    let servers = [SmtpServer::start().await, SmtpServer::start().await];
    for server in &servers {
        for i in 1..=20 {
            let grey = Act::Say("450 4.2.0 Greylisted, come back in 5 minutes".to_owned());
            server.rule(At::Rcpt, &format!("r{i}@"), grey, Some(1));
        }
    }
    let relays = vec![relay("a", servers[0].url()), relay("b", servers[1].url())];
    let app = app_of(relays, |_| {}).await;
    let daily = app.newsletter("daily").await;
    readers_at(&app, &daily, "example.org", 20).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| p.counts.deferred == 20).await;
    at_rest(&app, issue).await;
    app.advance(Duration::from_secs(15 * 60));
    let done = until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!(done.counts.sent, 20);
    let asked: usize = servers.iter().map(|server| server.commands("RCPT")).sum();
    assert_eq!(asked, 40, "each at its own relay, twice");
    assert!(servers.iter().all(|server| server.count() > 2));
}
