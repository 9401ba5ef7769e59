//! Writing an issue in a real browser: saving while typing, at the worst moments.

use crate::browser_progress::signed_in;
use crate::digests_sending::written;
use crate::support::app::TestApp;
use crate::support::browser::{Browser, Look};
use crate::support::editor::signed_in_as;
use crate::support::wait;

/// The composer of a new draft, in a browser.
async fn composer(app: &TestApp, browser: &Browser) {
    app.newsletter("brief").await;
    let editor = signed_in_as(app, "omar@lindenpost.example").await;
    let last = written(&editor, "Worst moments").await;
    signed_in(app, browser).await;
    let issue = last.url.path().trim_end_matches("/send").to_owned();
    browser.goto(&app.url(&issue)).await;
}

async fn write(browser: &Browser, text: &str) {
    let body = browser.find("#body").await;
    body.send_keys(text).await.unwrap();
}

async fn until(browser: &Browser, condition: &str) {
    let script = format!("return {condition};");
    wait::until(condition, async || browser.run(&script).await == true).await;
}

async fn stored(app: &TestApp, body: &str) -> bool {
    let sql = format!("SELECT COUNT(*) FROM issue WHERE body = '{body}'");
    app.count(&sql).await == 1
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_pressed_during_a_save_waits_for_it() {
    let app = TestApp::start().await;
    let Some(browser) = Browser::open(Look::default()).await else {
        return;
    };
    composer(&app, &browser).await;
    // The answer of each save comes two seconds late.
    let slow = "const real = window.fetch; window.asked = 0; window.fetch = async (...what) => {
        window.asked += 1;
        const answer = await real(...what);
        await new Promise((done) => setTimeout(done, 2000));
        return answer;
    };";
    browser.run(slow).await;
    write(&browser, " One.").await;
    until(&browser, "window.asked === 1").await;
    write(&browser, " Two.").await;
    browser.click("button[value=preview]").await;
    browser.wait_for_text("Saved.").await;
    assert!(stored(&app, "Good morning. One. Two.").await);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn enter_saves_and_the_tabs_change_the_view() {
    let app = TestApp::start().await;
    let Some(browser) = Browser::open(Look::default()).await else {
        return;
    };
    composer(&app, &browser).await;
    write(&browser, " One.").await;
    browser.click("#views [value='view.phone']").await;
    browser
        .find("iframe.preview-phone[src$='view=phone']")
        .await;
    let typed = "document.getElementById('body').value === 'Good morning. One.'";
    until(&browser, typed).await;
    let subject = browser.find("#subject").await;
    subject.send_keys("\u{e007}").await.unwrap();
    browser.wait_for_text("Saved.").await;
    assert!(stored(&app, "Good morning. One.").await);
    browser.find("#composer").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_save_whose_answer_is_lost_is_no_conflict() {
    let app = TestApp::start().await;
    let Some(browser) = Browser::open(Look::default()).await else {
        return;
    };
    composer(&app, &browser).await;
    let lossy = "const real = window.fetch; window.lost = 0; window.fetch = async (...what) => {
        const answer = await real(...what);
        if (window.lost++ === 0) throw new TypeError('lost');
        return answer;
    };";
    browser.run(lossy).await;
    write(&browser, " One.").await;
    browser.wait_for_text("The server is not responding").await;
    assert!(stored(&app, "Good morning. One.").await);
    write(&browser, " Two.").await;
    let saved = "document.getElementById('saved').textContent.startsWith('saved 2')";
    until(&browser, saved).await;
    until(&browser, "window.lost === 3").await;
    until(&browser, saved).await;
    assert!(stored(&app, "Good morning. One. Two.").await);
    // Every form of the page is now based on what was saved last.
    let revisions =
        "[...document.querySelectorAll('input[name=revision]')].map((field) => field.value)";
    let same = format!("new Set({revisions}).size === 1 && {revisions}.length === 2");
    until(&browser, &same).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_is_no_longer_saved_is_not_left_without_a_question() {
    let app = TestApp::start().await;
    let Some(browser) = Browser::open(Look::default()).await else {
        return;
    };
    composer(&app, &browser).await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    let theirs = "UPDATE issue SET body = 'Theirs', revision = revision + 1";
    canvass::db::run(&*txn, theirs, []).await.unwrap();
    txn.commit().await.unwrap();
    write(&browser, " Mine.").await;
    browser
        .wait_for_text("Somebody else saved this issue")
        .await;
    let asks = "!window.dispatchEvent(new Event('beforeunload', { cancelable: true }))";
    until(&browser, asks).await;
    // The button still leads to both versions.
    browser.click("button[value=preview]").await;
    browser.wait_for_text("Two versions of this issue").await;
    browser.close().await;
}
