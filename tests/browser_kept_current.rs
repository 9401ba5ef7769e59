//! Editors' pages that stay open: they follow what happens, or say that they do not.

use std::time::Duration;

use canvass::db;

use crate::browser_progress::{signed_in, slow};
use crate::digests_sending::{scheduled, written};
use crate::support::app::TestApp;
use crate::support::browser::{Browser, Look};
use crate::support::editor::signed_in_as;
use crate::support::issues::{app_with, subscribe};
use crate::support::smtp_server::{At, SmtpServer};
use crate::support::wait;

/// Ends every editor's session.
async fn sign_all_out(app: &TestApp) {
    let txn = app.app.db.write_txn("test").await.unwrap();
    db::run(&*txn, "DELETE FROM editor_session", [])
        .await
        .unwrap();
    txn.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scheduled_issue_is_followed_to_the_drafts_and_through_its_slot() {
    let server = SmtpServer::start().await;
    server.say(At::Rcpt, "reader2@", "450 4.2.0 greylisted");
    let app = app_with(&server, |_| {}).await;
    let brief = app.newsletter("brief").await;
    subscribe(&app, &brief, 3).await;
    let Some(browser) = Browser::open(Look::default()).await else {
        return;
    };
    signed_in(&app, &browser).await;
    let colleague = signed_in_as(&app, "omar@lindenpost.example").await;
    let last = written(&colleague, "At half past ten").await;
    let page = last.url.path().trim_end_matches("/send").to_owned();
    let (slot, zone) = ("2026-03-02T10:30", "Europe/Berlin");
    let waiting = scheduled(&colleague, &last, slot, zone).await.expect(200);
    browser.goto(&app.url(&page)).await;
    browser.wait_for_text("Goes out on").await;
    let back = waiting.form("form[action$='/unschedule']");
    colleague.submit(back).await.expect(200);
    browser.find("#composer").await;

    let last = colleague.get(&format!("{page}/send")).await.expect(200);
    scheduled(&colleague, &last, slot, zone).await.expect(200);
    browser.goto(&app.url(&page)).await;
    browser.wait_for_text("Goes out on").await;
    app.advance(Duration::from_secs(30 * 60));
    canvass::digests::tick(&app.app).await.unwrap();
    browser.wait_for_text("Only deferred mails are left").await;
    // The page of the issue that is being sent has its own way to stay current.
    server.forgive();
    app.advance(Duration::from_secs(15 * 60));
    browser.wait_for_text("Finished.").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_is_no_longer_updated_says_so() {
    let app = TestApp::start().await;
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    signed_in(&app, &browser).await;
    browser.goto(&app.url("/admin/mail")).await;
    sign_all_out(&app).await;
    browser.wait_for_text("You are signed out").await;
    browser.assert_accessible().await;
    browser.assert_no_sideways_scroll().await;
    browser.click("[data-outdated] a").await;
    browser.wait_for_path("/admin/sign-in").await;

    signed_in(&app, &browser).await;
    browser.goto(&app.url("/admin/mail")).await;
    let _database = app.stop().await;
    browser.wait_for_text("Not updated since").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_progress_of_an_issue_says_that_its_editor_is_signed_out() {
    let Some(browser) = Browser::open(Look::default()).await else {
        return;
    };
    let (_server, app, issue) = slow(3_000).await;
    signed_in(&app, &browser).await;
    let page = format!("/admin/issues/{}", issue.0);
    browser.goto(&app.url(&page)).await;
    sign_all_out(&app).await;
    // An open stream looks its session up every half minute: it may open only now.
    wait::until("the page says so", async || {
        app.advance(Duration::from_secs(31));
        let text = browser.run("return document.body.innerText;").await;
        text.as_str()
            .is_some_and(|text| text.contains("You are signed out"))
    })
    .await;
    browser.close().await;
}

/// Says "no such page" twice, as a proxy does while the server is away.
const AWAY: &str = "let left = 2; const there = window.fetch; window.still = true;
    window.fetch = async (...asked) => (left-- > 0 ? new Response('<main>no such page</main>', { status: 404 }) : there(...asked));";

#[tokio::test(flavor = "multi_thread")]
async fn a_page_outlasts_a_proxy_that_does_not_find_it() {
    let app = TestApp::start().await;
    let Some(browser) = Browser::open(Look::default()).await else {
        return;
    };
    signed_in(&app, &browser).await;
    browser.goto(&app.url("/admin/mail")).await;
    browser.find("#queue[data-live]").await;
    browser.run(AWAY).await;
    browser
        .wait_for_text("something else came instead of it (status 404)")
        .await;
    let outdated = "return document.querySelector('[data-outdated]') !== null";
    wait::until("the page is up to date", async || {
        browser.run(outdated).await == false
    })
    .await;
    let same = browser.run("return window.still === true").await;
    assert_eq!(same, true, "it was loaded again");
    browser.close().await;
}
