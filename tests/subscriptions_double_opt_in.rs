//! A reader with a browser and an inbox subscribes, confirms, comes back.

use std::time::Duration;

use canvass::db::fetch_one;
use reqwest::StatusCode;

use crate::support::app::TestApp;
use crate::support::page::Page;
use crate::support::reader::Reader;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Fills in the form as a person would, which takes longer than a second.
pub async fn ask(app: &TestApp, reader: &Reader, address: &str) -> Page {
    let form = reader
        .get("/subscribe/premium")
        .await
        .expect(200)
        .the_form();
    app.advance(Duration::from_secs(5));
    reader
        .submit(form.fill("email", address).tick("consent", "1"))
        .await
}

/// All steps up to the confirmed subscription.
pub async fn subscribe(app: &TestApp, reader: &Reader, address: &str) -> Page {
    let before = app.mails_to(address).await.len();
    ask(app, reader, address).await.expect(200);
    let mail = app.mail_to(address, before + 1).await;
    let page = reader.get(&mail.link("/confirm/")).await.expect(200);
    reader.submit(page.the_form()).await.expect(200)
}

pub async fn state_of(app: &TestApp, address: &str) -> i64 {
    app.count(&format!(
        "SELECT CAST(s.state AS BIGINT) FROM subscription s JOIN reader r ON r.id = s.reader_id WHERE r.email_key = '{address}'"
    ))
    .await
}

/// Reads one text from the database.
pub async fn text(app: &TestApp, sql: &str) -> String {
    let row = fetch_one(app.app.db.read(), sql, []).await.unwrap();
    row.unwrap().try_get_by_index(0).unwrap()
}

#[tokio::test]
async fn one_mail_one_link_one_button() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("premium").await;
    let reader = app.reader();
    let page = ask(&app, &reader, "Anna@Example.org")
        .await
        .expect(200)
        .says("Now check your inbox");
    assert!(
        page.text().contains("Anna@Example.org"),
        "what was typed shows, so that a slip is seen"
    );
    assert_eq!(
        app.count("SELECT COUNT(*) FROM reader").await,
        0,
        "nobody is a reader before the confirmation"
    );

    let mail = app.mail_to("Anna@example.org", 1).await;
    assert!(mail.subject.contains(&newsletter.name));
    assert!(
        mail.header("Auto-Submitted")
            .is_some_and(|v| v.contains("auto-generated"))
    );
    let page = reader
        .get(&mail.link("/confirm/"))
        .await
        .expect(200)
        .says(&newsletter.name);
    assert_eq!(
        page.all("main button").len(),
        1,
        "one button and nothing beside it"
    );
    assert_eq!(page.all("main a").len(), 0);
    assert_eq!(
        state_of(&app, "anna@example.org").await,
        0,
        "looking confirms nothing"
    );

    app.advance(MINUTE);
    let done = reader
        .submit(page.the_form())
        .await
        .expect(200)
        .says("You are subscribed");
    assert!(
        done.headers.contains_key("set-cookie"),
        "signed in to the archive"
    );
    assert_eq!(state_of(&app, "anna@example.org").await, 1);
    assert_eq!(app.mails_to("Anna@example.org").await.len(), 1);
}

#[tokio::test]
async fn the_evidence_says_who_what_where_and_when() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("premium").await;
    let reader = app.reader();
    ask(&app, &reader, "anna@example.org").await.expect(200);
    let asked = app.app.clock.now();
    let mail = app.mail_to("anna@example.org", 1).await;
    app.advance(DAY);
    let page = reader.get(&mail.link("/confirm/")).await;
    reader.submit(page.the_form()).await.expect(200);
    let evidence = text(
            &app,
            "SELECT t.body || '|' || t.version || '|' || c.page || '|' || c.source || '|' || c.requested_ms || '|' || c.confirmed_ms \
             FROM consent c JOIN consent_text t ON t.id = c.consent_text_id JOIN reader r ON r.id = c.reader_id \
             WHERE r.email_key = 'anna@example.org'",
        )
        .await;
    let words = canvass::newsletters::current_consent(app.app.db.read(), newsletter.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        evidence,
        format!(
            "{}|1|{}|form|{}|{}",
            words.body,
            app.url("/subscribe/premium"),
            asked.0,
            app.app.clock.now().0
        )
    );
}

#[tokio::test]
async fn a_second_press_is_fine_and_an_expired_link_is_renewed_with_one_tap() {
    let app = TestApp::start().await;
    app.newsletter("premium").await;
    let reader = app.reader();
    ask(&app, &reader, "anna@example.org").await.expect(200);
    let link = app.mail_to("anna@example.org", 1).await.link("/confirm/");

    app.advance(8 * DAY);
    let page = reader.get(&link).await.expect(410).says("expired");
    let form = reader.get(&link).await.the_form();
    reader
        .submit(page.the_form().button("fresh", "1"))
        .await
        .expect(200)
        .says("new link");
    // Pressing the button twice: the cap applies.
    reader
        .submit(form.button("fresh", "1"))
        .await
        .expect(200)
        .says("new link");
    let fresh = app.mail_to("anna@example.org", 2).await.link("/confirm/");
    assert_ne!(fresh, link);

    let form = reader.get(&fresh).await.expect(200).the_form();
    reader
        .submit(form.clone())
        .await
        .expect(200)
        .says("You are subscribed");
    reader.submit(form).await.expect(200).says("Already done");
    reader.get(&fresh).await.expect(200).says("Already done");
    assert_eq!(app.count("SELECT COUNT(*) FROM consent").await, 1);
    assert_eq!(app.mails_to("anna@example.org").await.len(), 2);
    // An old, unused link with its form still open confirms nothing.
    reader.post(&link, &[]).await.expect(410);
}

#[tokio::test]
async fn tampered_unknown_and_foreign_tokens_get_a_kind_page_and_change_nothing() {
    let app = TestApp::start().await;
    app.newsletter("premium").await;
    let reader = app.reader();
    ask(&app, &reader, "anna@example.org").await.expect(200);
    let link = app.mail_to("anna@example.org", 1).await.link("/confirm/");
    let token = link.rsplit('/').next().unwrap();
    let mut tampered = token.to_owned();
    tampered.pop();
    let unsubscribe = canvass::subscriptions::unsubscribe_token(
        &app.app.keys,
        canvass::types::NewsletterId(1),
        canvass::types::ReaderId(1),
    );
    let million = "A".repeat(60_000);
    for bad in [
        tampered.as_str(),
        "x",
        "%00",
        "%ff",
        "a%0d%0ab",
        &unsubscribe,
        &million,
    ] {
        for path in ["confirm", "unsubscribe", "u", "manage"] {
            if bad == unsubscribe && (path == "unsubscribe" || path == "u") {
                continue;
            }
            let url = format!("/{path}/{bad}");
            for page in [reader.get(&url).await, reader.post(&url, &[]).await] {
                assert!(
                    page.status.is_client_error(),
                    "{path} with {:.20}: {}",
                    bad,
                    page.status
                );
                assert!(page.body.contains("<h1"), "a page, not a bare error");
            }
        }
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM reader").await, 0);
}

#[tokio::test]
async fn at_most_one_mail_in_ten_minutes_and_three_a_day() {
    let app = TestApp::start().await;
    app.newsletter("premium").await;
    let reader = app.reader();
    let sent = |count: usize| {
        let app = &app;
        async move { app.mail_to("anna@example.org", count).await }
    };
    for _ in 0..3 {
        ask(&app, &reader, "anna@example.org").await.expect(200);
    }
    // Another spelling of the same address, at the same time.
    ask(&app, &reader, "ANNA@example.ORG").await.expect(200);
    sent(1).await;
    app.advance(10 * MINUTE);
    ask(&app, &reader, "anna@example.org").await.expect(200);
    sent(2).await;
    app.advance(10 * MINUTE);
    ask(&app, &reader, "anna@example.org").await.expect(200);
    sent(3).await;
    app.advance(60 * MINUTE);
    ask(&app, &reader, "anna@example.org").await.expect(200);
    app.advance(DAY);
    ask(&app, &reader, "anna@example.org").await.expect(200);
    sent(4).await;
    assert_eq!(app.mails_to("anna@example.org").await.len(), 4);
    assert_eq!(app.mails_to("ANNA@example.ORG").await.len(), 0);
}

#[tokio::test]
async fn two_requests_at_once_send_one_mail() {
    let app = TestApp::start().await;
    app.newsletter("premium").await;
    let reader = app.reader();
    let form = reader
        .get("/subscribe/premium")
        .await
        .the_form()
        .fill("email", "anna@example.org")
        .tick("consent", "1");
    app.advance(Duration::from_secs(5));
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (reader, form) = (app.reader(), form.clone());
        asked.spawn(async move { reader.submit(form).await.status });
    }
    while let Some(status) = asked.join_next().await {
        assert_eq!(status.unwrap(), StatusCode::OK);
    }
    app.mail_to("anna@example.org", 1).await;
    ask(&app, &reader, "last@example.org").await.expect(200);
    app.mail_to("last@example.org", 1).await;
    assert_eq!(app.mails_to("anna@example.org").await.len(), 1);
}

#[tokio::test]
async fn who_is_subscribed_is_told_so_by_mail_and_who_left_can_come_back() {
    let app = TestApp::start().await;
    app.newsletter("premium").await;
    let reader = app.reader();
    subscribe(&app, &reader, "anna@example.org").await;
    app.advance(11 * MINUTE);
    ask(&app, &reader, "anna@example.org").await.expect(200);
    let mail = app.mail_to("anna@example.org", 2).await;
    assert!(mail.subject.contains("already"), "{}", mail.subject);
    assert!(!mail.links().iter().any(|link| link.contains("/confirm/")));
    let page = reader
        .get(&mail.link("/manage/"))
        .await
        .expect(200)
        .says("anna@example.org");
    let form = page.the_form().untick("keep").button("action", "save");
    reader
        .submit(form)
        .await
        .expect(200)
        .says("You will no longer receive");
    assert_eq!(state_of(&app, "anna@example.org").await, 2);

    app.advance(11 * MINUTE);
    ask(&app, &reader, "anna@example.org").await.expect(200);
    let mail = app.mail_to("anna@example.org", 3).await;
    let page = reader.get(&mail.link("/confirm/")).await.expect(200);
    reader.submit(page.the_form()).await.expect(200);
    assert_eq!(state_of(&app, "anna@example.org").await, 1);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM consent WHERE withdrawn_ms IS NULL")
            .await,
        1
    );
    assert_eq!(app.count("SELECT COUNT(*) FROM consent").await, 2);
}
