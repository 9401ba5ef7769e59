//! The queue page: relays and their replies, lanes, single mails and their buttons; and the same numbers in `/metrics`.

use std::time::Duration;

use canvass::config::InDoubt;
use canvass::mailer::mailing::MailingState;

use crate::support::app::TestApp;
use crate::support::editor::signed_in;
use crate::support::issues::{app_with, hand_over, hand_over_about, subscribe, until};
use crate::support::smtp_server::{Act, At, SmtpServer};
use crate::support::wait::{PATIENCE, Waiting};

async fn subscribes(app: &TestApp, address: &str) {
    let reader = app.reader();
    let page = reader.get("/subscribe/daily").await.expect(200);
    let form = page.the_form().fill("email", address).tick("consent", "1");
    app.advance(Duration::from_secs(5));
    reader.submit(form).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn single_mails_are_tried_now_or_settled() {
    let server = SmtpServer::start().await;
    server.rule(
        At::Rcpt,
        "later@",
        Act::Say("450 4.2.0 greylisted".into()),
        Some(1),
    );
    server.rule(At::Dot, "doubt@", Act::Drop, Some(1));
    server.rule(At::Dot, "twice@", Act::Drop, Some(1));
    server.say(At::Rcpt, "never@", "550 5.1.1 no such user");
    let app = app_with(&server, |config| config.mail.in_doubt = InDoubt::Hold).await;
    app.newsletter("daily").await;
    let editor = signed_in(&app).await;
    for name in ["later", "doubt", "twice", "never"] {
        subscribes(&app, &format!("{name}@example.org")).await;
    }
    app.wait_until("SELECT COUNT(*) FROM outbox WHERE state = 4", 2)
        .await;
    app.wait_until("SELECT COUNT(*) FROM outbox WHERE state = 3", 1)
        .await;
    app.wait_until(
        "SELECT COUNT(*) FROM outbox WHERE state = 0 AND attempt = 1",
        1,
    )
    .await;
    let page = editor.get("/admin/mail").await.expect(200);
    let page = page
        .says("450 4.2.0 greylisted")
        .says("550 5.1.1 no such user")
        .says("Its content is gone")
        .says("In use");

    let order = async |id: i64, what: &str| {
        let id = id.to_string();
        let token = page.attributes("input[name=csrf]", "value").pop().unwrap();
        let form = [
            ("mail", id.as_str()),
            ("what", what),
            ("csrf", token.as_str()),
        ];
        editor.post("/admin/mail", &form).await
    };
    let id = async |sql: &str| app.count(sql).await;
    let waiting = id("SELECT id FROM outbox WHERE state = 0").await;
    order(waiting, "now").await.expect(200);
    server.mail_to("later@example.org", PATIENCE).await;
    let doubt = id("SELECT MIN(id) FROM outbox WHERE state = 4").await;
    let twice = id("SELECT MAX(id) FROM outbox WHERE state = 4").await;
    order(doubt, "accept").await.expect(200);
    order(twice, "resend").await.expect(200);
    app.wait_until("SELECT COUNT(*) FROM outbox WHERE state = 2", 3)
        .await;
    let mails = server.received();
    let ids = |name: &str| -> Vec<String> {
        let to = format!("{name}@example.org");
        mails
            .iter()
            .filter(|m| m.to == to)
            .map(|m| m.message_id.clone())
            .collect()
    };
    assert_eq!(ids("doubt").len(), 1);
    assert_eq!(ids("twice").len(), 2);
    assert_eq!(ids("twice")[0], ids("twice")[1]);
    // Orders that come too late change nothing.
    let failed = id("SELECT id FROM outbox WHERE state = 3").await;
    for (mail, what) in [
        (doubt, "resend"),
        (doubt, "accept"),
        (failed, "now"),
        (failed, "resend"),
        (999, "now"),
    ] {
        order(mail, what).await.expect(200);
    }
    assert_eq!(
        app.count("SELECT COUNT(*) FROM outbox WHERE state = 2")
            .await,
        3
    );
    assert_eq!(server.received().len(), mails.len());
    order(doubt, "burn").await.expect(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_the_metrics_tell_of_relays_and_issues() {
    let server = SmtpServer::start().await;
    server.say(At::Rcpt, "reader7@", "450 4.2.0 greylisted");
    server.say(At::Dot, "reader8@", "554 5.7.1 not from you");
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 40).await;
    let editor = signed_in(&app).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| {
        p.counts.sent == 38 && p.counts.deferred == 1
    })
    .await;
    let page = editor.get("/admin/mail").await.expect(200);
    page.says("Relays")
        .says("127.0.0.1")
        .says("lanes:")
        .says("Oldest mail of an issue due since");
    let metrics = async || {
        let answer = reqwest::get(app.url("/metrics")).await.unwrap();
        answer.text().await.unwrap()
    };
    // The gauges are updated every few seconds; other tests in this process set the same ones.
    let named = [
        "canvass_relay_connections{relay=\"127.0.0.1",
        "canvass_relay_breaker_open{relay=\"127.0.0.1",
        "canvass_relay_mails_total{relay=\"127.0.0.1",
        "outcome=\"handed_over\"",
        "outcome=\"deferred\"",
        "canvass_mail_lanes{doing=\"idle\"}",
        "canvass_mailings{state=\"sending\"}",
        "canvass_recipients{state=\"queued\"}",
        "canvass_recipients{state=\"deferred\"}",
        "canvass_recipients_failed{reason=\"ours\"}",
        "canvass_mailings_oldest_due_seconds",
        "canvass_outbox_oldest_seconds",
    ];
    let waiting = Waiting::until("all gauges are there");
    loop {
        let text = metrics().await;
        let missing: Vec<&&str> = named.iter().filter(|name| !text.contains(**name)).collect();
        if missing.is_empty() {
            assert!(!text.contains("example.org"), "no domain is a label");
            break;
        }
        waiting.still(format_args!("{missing:?} in\n{text}")).await;
    }
    server.forgive();
    app.advance(Duration::from_secs(15 * 60));
    crate::support::issues::until(&app, issue, |p| p.state == MailingState::Finished).await;
}

/// A request for an address that gets no mail writes the same rows; editors see only mails that were meant to be sent.
#[tokio::test(flavor = "multi_thread")]
async fn mails_that_stand_for_none_are_not_counted_as_failed() {
    let server = SmtpServer::start().await;
    let app = app_with(&server, |_| {}).await;
    app.newsletter("daily").await;
    let editor = signed_in(&app).await;
    // The second is too soon after the first.
    for _ in 0..2 {
        subscribes(&app, "again@example.org").await;
    }
    app.wait_until("SELECT COUNT(*) FROM outbox WHERE state = 5", 1)
        .await;
    app.wait_until("SELECT COUNT(*) FROM outbox WHERE state = 2", 1)
        .await;
    let page = editor.get("/admin/mail").await.expect(200);
    let page = page.says("No mail is waiting, and none has failed.");
    let numbers: Vec<_> = page
        .all(".stats dt")
        .into_iter()
        .zip(page.all(".stats dd"))
        .collect();
    let failed = numbers.iter().find(|(name, _)| name.contains("failed"));
    assert_eq!(failed.map(|(_, n)| n.as_str()), Some("0"), "{numbers:?}");
}

/// Lists that are cut say what they leave out.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_lists_leave_out_is_counted() {
    let app = TestApp::start().await;
    let daily = app.newsletter("daily").await;
    let editor = signed_in(&app).await;
    let now = app.app.clock.now();
    let far = now + Duration::from_secs(24 * 3_600);
    let txn = app.app.db.write_txn("test").await.unwrap();
    let sql = "INSERT INTO outbox (priority, template, payload, message_id, state, not_before_ms, expires_ms, created_ms) \
               VALUES (1, 'confirm-subscription', '', $1, $2, $3, $3, $4)";
    for (state, mails) in [(3_i16, 51), (0, 53)] {
        for mail in 0..mails {
            let id = format!("{state}.{mail}@example.org");
            let values = [id.into(), state.into(), far.0.into(), now.0.into()];
            canvass::db::run(&*txn, sql, values).await.unwrap();
        }
    }
    txn.commit().await.unwrap();
    for number in 1..=12 {
        let subject = format!("Issue {number}");
        hand_over_about(&app.app.db, &daily, &subject, now, far).await;
    }
    let page = editor.get("/admin/mail").await.expect(200);
    let page = page
        .says("Not shown: 1 older mail that did not go out, 3 newer mails that are waiting.")
        .says("Not shown: 2 issues.");
    editor.follow(&page, "All issues").await.expect(200);
}

/// Editors read the queue's times in the zone they write their issues in, and the page names it.
#[tokio::test(flavor = "multi_thread")]
async fn times_of_the_queue_are_the_newsrooms() {
    let server = SmtpServer::start().await;
    server.say(At::Rcpt, "never@", "550 5.1.1 no such user");
    let app = app_with(&server, |_| ()).await;
    let daily = app.newsletter("daily").await;
    subscribes(&app, "never@example.org").await;
    app.wait_until("SELECT COUNT(*) FROM outbox WHERE state = 3", 1)
        .await;
    let editor = signed_in(&app).await;
    let page = editor.get("/admin/mail").await.expect(200);
    let page = page.says(&format!("Times are in {}", daily.time_zone));
    let failed = app
        .count("SELECT created_ms FROM outbox WHERE state = 3")
        .await;
    let zone = jiff::tz::TimeZone::get(&daily.time_zone).unwrap();
    let at = jiff::Timestamp::from_millisecond(failed).unwrap();
    let local = at.to_zoned(zone.clone());
    assert_ne!(local.offset().seconds(), 0, "a zone that is not UTC");
    let since = page.all("td[data-label=Since]").remove(0);
    assert_eq!(since, local.strftime("%-d %b %Y, %H:%M").to_string());
}
