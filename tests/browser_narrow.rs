//! Editors' lists on a phone with long names in them: nothing is cut off, nothing leaves its card.

use serde_json::json;

use crate::support::app::TestApp;
use crate::support::browser::{Browser, Look};
use crate::support::editor::{EDITOR, PASSWORD, invited};
use crate::support::issues::subscribe;

/// Texts that are wider than what they stand in.
const CUT: &str = "return [...document.querySelectorAll('.table-wrap, .card, .stats')].flatMap(box => {
    const edge = box.getBoundingClientRect().right - parseFloat(getComputedStyle(box).borderRightWidth);
    return [...box.querySelectorAll('td, th, dd, span, a')].filter(element => {
        const range = document.createRange();
        range.selectNodeContents(element);
        return !element.closest('.sr, thead') && range.getBoundingClientRect().right > edge + 0.5;
    }).map(element => element.textContent.slice(0, 60));
});";

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_cut_off_on_a_phone() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("morning").await;
    subscribe(&app, &newsletter, 2).await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    for sql in [
        "UPDATE newsletter SET name = 'The Premium Newsletter of the Harwich and District Observer', \
         from_address = 'a-rather-long-name-of-a-sender@newsletters.harwich-observer.example'",
        "UPDATE reader SET email = 'somebody-with-a-very-long-address@a-provider-with-a-long-name.example' WHERE id = 1",
        "UPDATE editor SET name = 'Wolfeschlegelsteinhausenbergerdorff'",
    ] {
        canvass::db::run(&*txn, sql, []).await.unwrap();
    }
    txn.commit().await.unwrap();
    app.poll("trust").await;
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    let link = invited(&app, EDITOR).await;
    browser.goto(&app.url(&link)).await;
    for field in ["password", "again"] {
        let field = browser.find(&format!("[name={field}]")).await;
        field.send_keys(PASSWORD).await.unwrap();
    }
    let button = browser.find("main form button").await;
    button.click().await.unwrap();
    browser.wait_for_path("/admin").await;
    for page in [
        "/admin",
        "/admin/readers",
        "/admin/readers/1",
        "/admin/settings",
        "/admin/polls",
        "/admin/mail",
    ] {
        browser.goto(&app.url(page)).await;
        assert_eq!(browser.run(CUT).await, json!([]), "{page}");
        browser.assert_no_sideways_scroll().await;
    }
    browser.close().await;
}
