//! The limits of relays, as the servers see them.

use std::collections::BTreeMap;
use std::time::Duration;

use canvass::config::{Relay, WarmUp};
use canvass::mailer;
use canvass::mailer::mailing::MailingState;
use canvass::types::IssueId;

use crate::support::app::TestApp;
use crate::support::issues::{
    app_of, app_with, hand_over, readers_at, relay, the_ledger_agrees, until,
};
use crate::support::smtp_server::{Act, At, SmtpServer};

const DAY: Duration = Duration::from_secs(24 * 3_600);

#[tokio::test]
async fn the_name_in_the_greeting_is_the_configured_one() {
    let server = SmtpServer::start().await;
    let name = |config: &mut canvass::config::Config| {
        config.mail.hello_name = "mail-7.news.example".into();
    };
    let app = app_with(&server, name).await;
    let daily = app.newsletter("daily").await;
    readers_at(&app, &daily, "example.org", 20).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| p.state == MailingState::Finished).await;
    let hellos = server.hellos();
    assert_eq!(hellos.len(), server.connections());
    for hello in hellos {
        assert_eq!(hello, "mail-7.news.example");
    }
}

/// How many mails came over each connection.
fn by_connection(server: &SmtpServer) -> Vec<usize> {
    let mut mails: BTreeMap<usize, usize> = BTreeMap::new();
    for mail in server.received() {
        *mails.entry(mail.connection).or_default() += 1;
    }
    mails.into_values().collect()
}

/// The limits of one relay apply to it alone: it gets no more than that, and the other no less.
#[tokio::test]
async fn one_relay_among_several_is_given_as_many_connections_and_mails_as_it_wants() {
    let (shy, usual) = (SmtpServer::start().await, SmtpServer::start().await);
    for server in [&shy, &usual] {
        server.rule(At::Dot, "", Act::Wait(Duration::from_millis(20)), None);
    }
    let mut limited = relay("shy", shy.url());
    (limited.connections, limited.mails_per_connection) = (Some(2), Some(7));
    let relays = vec![limited, relay("usual", usual.url())];
    let app = app_of(relays, |config| config.mail.connections = 6).await;
    let daily = app.newsletter("daily").await;
    readers_at(&app, &daily, "example.org", 300).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!(shy.count() + usual.count(), 300);
    println!(
        "shy: {} mails over {} connections, {} at once; usual: {} over {}, {} at once",
        shy.count(),
        shy.connections(),
        shy.most_open(),
        usual.count(),
        usual.connections(),
        usual.most_open()
    );
    assert!(shy.count() > 20, "it is used: {}", shy.count());
    assert_eq!(shy.most_open(), 2);
    let mails = by_connection(&shy);
    assert_eq!(mails.iter().max(), Some(&7), "{mails:?}");
    assert!(
        (3..=6).contains(&usual.most_open()),
        "{}",
        usual.most_open()
    );
    let most = by_connection(&usual).into_iter().max();
    assert!(most > Some(7), "{most:?}");
}

/// Waits until this many were sent, and then long enough for lanes to look several times: no more are sent today.
async fn today(app: &TestApp, server: &SmtpServer, issue: IssueId, sent: i64) {
    until(app, issue, |p| p.counts.sent == sent).await;
    for _ in 0..30 {
        assert_eq!(server.count() as i64, sent);
        app.app.db.bell().ring();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let status = mailer::status(&app.app);
    assert_eq!(status.relays[0].today, status.relays[0].per_day);
}

#[tokio::test]
async fn a_new_relay_is_warmed_up_day_by_day() {
    let server = SmtpServer::start().await;
    let app = app_of_a_new(&server).await;
    let daily = app.newsletter("daily").await;
    readers_at(&app, &daily, "example.org", 150).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    // 20, then twice and four times as many; then the rest.
    for sent in [20, 60, 140] {
        today(&app, &server, issue, sent).await;
        app.advance(DAY);
    }
    until(&app, issue, |p| p.state == MailingState::Finished).await;
    assert_eq!(server.count(), 150);
    let spent = "SELECT COUNT(*) FROM delivery WHERE attempt > 1";
    assert_eq!(
        app.count(spent).await,
        0,
        "whoever waited for a day was not tried"
    );
    the_ledger_agrees(&app, issue).await;
}

/// An app with a new relay, whose first day is the tests' first day.
async fn app_of_a_new(server: &SmtpServer) -> TestApp {
    let start = TestApp::start().await.app.clock.now().to_string();
    let warm_up = WarmUp {
        start: start[..10].to_owned(),
        mails: 20,
        growth: 2.0,
    };
    let new = Relay {
        warm_up: Some(warm_up),
        ..relay("new", server.url())
    };
    app_of(vec![new], |_| {}).await
}
