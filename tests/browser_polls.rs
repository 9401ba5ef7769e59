//! Answering a poll with a real browser: with and without JavaScript, and without a mouse.

use crate::support::app::TestApp;
use crate::support::browser::{Browser, Look};

const TAB: char = '\u{e004}';
const ENTER: char = '\u{e007}';

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_is_answered_with_the_keyboard_alone() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    let Some(browser) = Browser::open(Look::default()).await else {
        return;
    };
    browser.goto(&app.url("/p/trust")).await;
    // Until the focus is on the first option; the focus must be visible all the time.
    for _ in 0..20 {
        browser.press(&[TAB]).await;
        let focus = browser
            .run(
                "const e = document.activeElement, label = e.closest('label') ?? e;
                 const seen = [e, label].some(x => {
                   const s = getComputedStyle(x);
                   return s.outlineStyle !== 'none' || s.boxShadow !== 'none';
                 });
                 return [e.name ?? '', seen, e.outerHTML.slice(0, 100)];",
            )
            .await;
        assert_eq!(focus[1], true, "the focus cannot be seen on {}", focus[2]);
        if focus[0] == "option" {
            break;
        }
    }
    browser.press(&[' ', ENTER]).await;
    browser.wait_for_text("Your answer has been counted").await;
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 1);
    browser.assert_accessible().await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_is_answered_without_javascript() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    let Some(browser) = Browser::open(Look::default().without_javascript()).await else {
        return;
    };
    browser.goto(&app.url("/p/trust")).await;
    browser.click("[name=option]").await;
    browser.click("main form button").await;
    browser.wait_for_text("Your answer has been counted").await;
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 1);
    browser.close().await;
}

/// Touch targets are large enough.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_touched_is_large_enough() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("morning").await;
    app.poll_with("trust", |poll| poll.newsletter = Some(newsletter.id))
        .await;
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    browser.goto(&app.url("/p/trust")).await;
    let small = browser
        .run(
            "return [...document.querySelectorAll('main button, main input:not([type=hidden], [tabindex^=\"-\"])')]
               .map(e => e.closest('label') ?? e)
               .map(e => [e.getBoundingClientRect().height, e.outerHTML.slice(0, 100)])
               .filter(([height]) => height < 44);",
        )
        .await;
    assert_eq!(small, serde_json::json!([]), "lower than 44 px: {small:#}");
    browser.close().await;
}
