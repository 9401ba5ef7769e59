//! A relay that refuses our login is tried rarely, and by one lane at a time, so that the account is not locked.

use std::collections::BTreeSet;
use std::time::Duration;

use canvass::mailer::{self, BreakerState};
use canvass::types::Secret;

use crate::support::app::TestApp;
use crate::support::issues::{app_with, hand_over, subscribe};
use crate::support::single_mails::enqueue;
use crate::support::smtp_server::{Act, At, Offers, SmtpServer};
use crate::support::wait::{self, Waiting};

const NO: &str = "535 5.7.8 no";

/// A server with an account: `news`, with the password `secret`.
async fn server() -> SmtpServer {
    SmtpServer::offering(Offers {
        auth: Some("AG5ld3MAc2VjcmV0".into()),
        ..Offers::default()
    })
    .await
}

fn url(server: &SmtpServer, password: &str) -> Secret {
    let port = server.port();
    Secret::new(format!("smtp://news:{password}@127.0.0.1:{port}"))
}

/// Waits for the pause after the second refusal.
async fn rests_for_long(app: &TestApp) {
    let waiting = Waiting::until("the relay rests for long");
    loop {
        let relay = mailer::status(&app.app).relays.remove(0);
        if let BreakerState::Open { until, .. } = relay.breaker
            && until.since(app.app.clock.now()) > Duration::from_secs(14 * 60)
        {
            assert_eq!(relay.breaker_words, NO);
            return;
        }
        waiting.still(&relay).await;
    }
}

#[tokio::test]
async fn a_login_that_is_refused_is_not_tried_every_minute() {
    let server = server().await;
    let app = app_with(&server, |config| {
        config.mail.smtp_url = url(&server, "wrong");
    })
    .await;
    enqueue(&app, "ada@example.org").await;
    rests_for_long(&app).await;
    assert_eq!(server.commands("AUTH"), 2);
}

#[tokio::test]
async fn a_wrong_password_is_tried_by_one_of_many_lanes() {
    let server = server().await;
    // Long enough for all of them to have a batch.
    let thinks = Act::Wait(Duration::from_millis(500));
    server.rule(At::Auth, "", thinks, None);
    let app = app_with(&server, |config| {
        config.mail.connections = 8;
        config.mail.smtp_url = url(&server, "wrong");
    })
    .await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 160).await;
    hand_over(&app, &daily, Duration::ZERO).await;
    rests_for_long(&app).await;
    assert_eq!(server.commands("AUTH"), 2);
}

/// The other lanes go on over connections that had logged in before: their mails do not show that the password is good.
#[tokio::test]
async fn a_password_that_changes_while_an_issue_is_sent_is_tried_twice() {
    const LANES: usize = 3;
    let server = server().await;
    server.rule(At::Dot, "", Act::Wait(Duration::from_millis(50)), None);
    let app = app_with(&server, |config| {
        config.mail.connections = LANES as u32;
        config.mail.smtp_url = url(&server, "secret");
    })
    .await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 300).await;
    hand_over(&app, &daily, Duration::ZERO).await;
    let sending = || {
        let connections = server.received().into_iter().map(|mail| mail.connection);
        connections.collect::<BTreeSet<_>>().len()
    };
    wait::until("all lanes send", async || sending() >= LANES).await;
    server.say(At::Auth, "", NO);
    // One of them has to log in again.
    server.rule(At::Rcpt, "", Act::Drop, Some(1));
    rests_for_long(&app).await;
    assert_eq!(server.commands("AUTH"), LANES + 2);
    assert!(server.count() < 300, "the others were still sending");
}

#[tokio::test]
async fn a_connection_without_a_greeting_holds_up_no_other_login() {
    let server = server().await;
    let never = Act::Wait(Duration::from_secs(3_600));
    server.rule(At::Greeting, "", never, Some(1));
    let app = app_with(&server, |config| {
        config.mail.smtp_url = url(&server, "secret");
    })
    .await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 1).await;
    hand_over(&app, &daily, Duration::ZERO).await;
    wait::until("a lane waits for its greeting", async || {
        server.connections() == 1
    })
    .await;
    enqueue(&app, "ada@example.org").await;
    server.mail_to("ada@example.org", wait::PATIENCE).await;
}
