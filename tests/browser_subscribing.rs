//! Subscribing with a real browser and an inbox.

use std::time::Duration;

use crate::support::app::TestApp;
use crate::support::browser::{Browser, Look};

async fn subscribe(look: Look) {
    let app = TestApp::start().await;
    app.newsletter("morning").await;
    let Some(browser) = Browser::open(look).await else {
        return;
    };
    browser.goto(&app.url("/subscribe/morning")).await;
    app.advance(Duration::from_secs(5));
    let field = browser.find("[name=email]").await;
    field.send_keys("r@example.org").await.unwrap();
    browser.click("[name=consent]").await;
    browser.click("main form button").await;
    let mail = app.mail_to("r@example.org", 1).await;

    browser.goto(&mail.link("/confirm/")).await;
    let active = "SELECT COUNT(*) FROM subscription WHERE state = 1";
    assert_eq!(app.count(active).await, 0, "a look confirms nothing");
    browser.assert_no_sideways_scroll().await;
    browser.click("main form button").await;
    app.wait_until(active, 1).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_subscribes_on_a_phone_in_the_dark() {
    subscribe(Look::phone().dark()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_subscribes_without_javascript() {
    subscribe(Look::default().without_javascript()).await;
}
