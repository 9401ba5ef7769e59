//! Watching an issue in a real browser: the page updates by itself, and the issue can be paused by keyboard.

use std::time::Duration;

use canvass::config::InDoubt;
use canvass::types::IssueId;

use crate::support::app::TestApp;
use crate::support::browser::{Browser, Look};
use crate::support::editor::{EDITOR, PASSWORD, invited};
use crate::support::issues::{app_with, at_rest, hand_over, subscribe, until};
use crate::support::smtp_server::{Act, At, SmtpServer};
use crate::support::wait::{self, Waiting};

const TAB: char = '\u{e004}';
const ENTER: char = '\u{e007}';

/// An issue that goes out slowly, from now on: open the browser before, which may have to wait for its turn.
pub async fn slow(readers: i64) -> (SmtpServer, TestApp, IssueId) {
    let server = SmtpServer::start().await;
    server.say(At::Rcpt, "reader7@", "450 4.2.0 greylisted");
    server.say(At::Dot, "reader8@", "554 5.7.1 not from you");
    server.rule(At::Dot, "", Act::Wait(Duration::from_millis(60)), None);
    let app = app_with(&server, |_| {}).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, readers).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    (server, app, issue)
}

pub async fn signed_in(app: &TestApp, browser: &Browser) {
    let link = invited(app, EDITOR).await;
    browser.goto(&app.url(&link)).await;
    for field in ["password", "again"] {
        let field = browser.find(&format!("[name={field}]")).await;
        field.send_keys(PASSWORD).await.unwrap();
    }
    let button = browser.find("main form button").await;
    button.click().await.unwrap();
    browser.wait_for_path("/admin").await;
}

async fn handed_over(browser: &Browser) -> i64 {
    let shown =
        "return document.querySelector('[data-count=sent]').textContent.replaceAll(',', '');";
    let shown = browser.run(shown).await;
    shown.as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_moves_by_itself_and_is_paused_by_keyboard() {
    let Some(browser) = Browser::open(Look::default()).await else {
        return;
    };
    let (server, app, issue) = slow(4_000).await;
    signed_in(&app, &browser).await;
    browser
        .goto(&app.url(&format!("/admin/issues/{}", issue.0)))
        .await;
    wait::until("the first event has come", async || {
        let hidden = "return document.querySelector('[data-f=link]').hidden;";
        browser.run(hidden).await == true
    })
    .await;
    // A mark that a new page would not have.
    browser.run("window.stayed = true; return 1;").await;
    let before = handed_over(&browser).await;
    browser.wait_for_text("mails a").await;
    browser.wait_for_text("450 4.2.0 greylisted").await;
    assert!(handed_over(&browser).await > before, "it moves");
    assert_eq!(browser.run("return window.stayed;").await, true);
    browser.assert_accessible().await;
    browser.assert_no_sideways_scroll().await;
    let said = browser
        .run("return document.getElementById('said').textContent;")
        .await;
    assert_eq!(said, "", "running numbers are not read out");

    for _ in 0..40 {
        browser.press(&[TAB]).await;
        if browser.run("return document.activeElement.id;").await == "pause" {
            break;
        }
    }
    // The focus survives the updates of the numbers.
    for _ in 0..2 {
        let before = handed_over(&browser).await;
        wait::until("the number grows", async || {
            handed_over(&browser).await > before
        })
        .await;
    }
    assert_eq!(
        browser.run("return document.activeElement.id;").await,
        "pause"
    );
    browser.press(&[ENTER]).await;
    browser
        .wait_for_text("Nothing goes out until somebody resumes it.")
        .await;
    browser.assert_accessible().await;
    // Mails in flight may still arrive; then the number stays the same.
    at_rest(&app, issue).await;
    let at_pause = server.count();
    // Time for fifty mails.
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(server.count(), at_pause);
    let page = app.url(&format!("/admin/issues/{}", issue.0));
    browser.goto(&page).await;
    assert_eq!(handed_over(&browser).await, at_pause as i64);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_comes_by_itself_and_is_said_to_screen_readers() {
    let Some(browser) = Browser::open(Look::phone().dark()).await else {
        return;
    };
    let (server, app, issue) = slow(120).await;
    signed_in(&app, &browser).await;
    browser
        .goto(&app.url(&format!("/admin/issues/{}", issue.0)))
        .await;
    browser.wait_for_text("Only deferred mails are left").await;
    browser.assert_no_sideways_scroll().await;
    server.forgive();
    app.advance(Duration::from_secs(15 * 60));
    browser
        .wait_for_text("Finished; 1 reader could not be mailed.")
        .await;
    let said = browser
        .run("return document.getElementById('said').textContent;")
        .await;
    assert_eq!(said, "Finished. Handed over for 119 of 120 readers.");
    browser.assert_accessible().await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_javascript_the_page_loads_itself_again() {
    let Some(browser) = Browser::open(Look::default().without_javascript()).await else {
        return;
    };
    let (_server, app, issue) = slow(3_000).await;
    signed_in(&app, &browser).await;
    browser
        .goto(&app.url(&format!("/admin/issues/{}", issue.0)))
        .await;
    let number = async |browser: &Browser| {
        let place = browser.find("[data-count=sent]").await;
        let text = place.text().await.unwrap_or_default().replace(',', "");
        text.parse::<i64>().unwrap_or(0)
    };
    let before = number(&browser).await;
    wait::until("the page has loaded itself again", async || {
        number(&browser).await > before
    })
    .await;
    browser.wait_for_text("mails a").await;
    browser.close().await;
}

/// The pages of an issue that is being sent, for eyes, keyboards and screen readers, on a desktop and on a phone in
/// dark mode.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_an_issue_is_fit_for_everybody() {
    let server = SmtpServer::start().await;
    server.say(At::Rcpt, "reader7@", "450 4.2.0 greylisted");
    server.say(At::Dot, "reader8@", "554 5.7.1 not from you");
    server.rule(At::Dot, "reader9@", Act::Drop, Some(1));
    let app = app_with(&server, |config| config.mail.in_doubt = InDoubt::Hold).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 60).await;
    let issue = hand_over(&app, &daily, Duration::ZERO).await;
    until(&app, issue, |p| p.counts.queued == 0).await;
    let failed = app
        .count("SELECT id FROM reader WHERE email = 'reader8@example.org'")
        .await;
    let base = format!("/admin/issues/{}", issue.0);
    for look in [Look::default(), Look::phone().dark()] {
        let Some(browser) = Browser::open(look).await else {
            return;
        };
        signed_in(&app, &browser).await;
        for path in [
            base.clone(),
            format!("{base}/recipients"),
            format!("{base}/recipients?state=failed"),
            format!("{base}/recipients?q=nobody"),
            format!("{base}/recipients/{failed}"),
            format!("{base}/resend"),
            format!("{base}/settle"),
            "/admin/mail".to_owned(),
        ] {
            browser.goto(&app.url(&path)).await;
            browser.find("h1").await;
            browser.assert_accessible().await;
            browser.assert_no_sideways_scroll().await;
        }
        browser.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_preview_follows_what_is_typed() {
    let app = TestApp::start().await;
    app.newsletter("daily").await;
    let Some(browser) = Browser::open(Look::default()).await else {
        return;
    };
    signed_in(&app, &browser).await;
    browser.goto(&app.url("/admin/issues/new")).await;
    let subject = browser.find("#subject").await;
    subject.send_keys("Written in a browser").await.unwrap();
    let start = browser.find("main form .button-primary").await;
    start.click().await.unwrap();
    let body = browser.find("#body").await;
    body.send_keys("The **harbour** is open again.")
        .await
        .unwrap();
    let waiting = Waiting::until("the preview shows what is typed");
    let shown = "const doc = document.getElementById('preview').contentDocument;
        return [doc?.querySelector('strong')?.textContent ?? '', doc?.body?.textContent ?? ''];";
    loop {
        let seen = browser.run(shown).await;
        let text = seen[1].as_str().unwrap_or_default();
        if seen[0] == "harbour" && text.contains("is open again.") {
            break;
        }
        waiting.still(&seen).await;
    }
    browser.assert_accessible().await;
    let saved = "SELECT COUNT(*) FROM issue WHERE body LIKE '%harbour%'";
    app.wait_until(saved, 1).await;
    browser.close().await;
}

/// The progress is visible with forced colours, too.
#[tokio::test(flavor = "multi_thread")]
async fn the_bar_shows_in_forced_colours() {
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    let (_server, app, issue) = slow(1_500).await;
    signed_in(&app, &browser).await;
    until(&app, issue, |p| p.counts.sent > 100).await;
    browser.prefer("forced-colors", "active").await;
    let page = format!("/admin/issues/{}", issue.0);
    browser.goto(&app.url(&page)).await;
    let place = "const r = document.querySelector('progress.bar').getBoundingClientRect();
        return [r.x, r.y, r.width, r.height];";
    let place = browser.run(place).await;
    let colours = browser.colours_across(&place).await;
    let width = colours.len();
    let (done, rest) = (colours[width / 20], colours[width - width / 20]);
    assert_ne!(done, rest, "one colour from end to end");
}
