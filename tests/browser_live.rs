//! Editors' pages that claim to be live are live, as seen in a real browser.

use canvass::polls::Kind;
use serde_json::json;

use crate::support::app::TestApp;
use crate::support::browser::{Browser, Look};
use crate::support::editor::{EDITOR, PASSWORD, invited};

async fn signed_in(app: &TestApp) -> Option<Browser> {
    let browser = Browser::open(Look::default()).await?;
    let link = invited(app, EDITOR).await;
    browser.goto(&app.url(&link)).await;
    for field in ["password", "again"] {
        let field = browser.find(&format!("[name={field}]")).await;
        field.send_keys(PASSWORD).await.unwrap();
    }
    browser.click("main form button").await;
    browser.wait_for_path("/admin").await;
    Some(browser)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_polls_result_moves_by_itself() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    let Some(browser) = signed_in(&app).await else {
        return;
    };
    browser.goto(&app.url("/admin/polls/trust")).await;
    browser.wait_for_text("Nobody has answered yet.").await;
    browser.wait_for_text("Result, live").await;
    // A mark that a new page would not have.
    browser.run("window.stayed = true; return 1;").await;
    let form = [("option", "1")];
    app.reader().post("/p/trust", &form).await.expect(200);
    browser.wait_for_text("1 reader chose to answer").await;
    browser.wait_for_text("Result, live").await;
    assert_eq!(browser.run("return window.stayed;").await, true);
    browser.assert_accessible().await;

    // A text selection survives updates.
    browser
        .run("window.looked = 0; window.selected = getSelection(); window.getSelection = () => { looked += 1; return selected; };
              selected.selectAllChildren(document.querySelector('#results .bars')); window.marked = String(selected); return 1;")
        .await;
    app.reader().post("/p/trust", &form).await.expect(200);
    // The page has checked twice whether it may redraw.
    browser
        .run_async("const wait = () => looked >= 2 ? done(true) : setTimeout(wait, 50); wait();")
        .await;
    let same = "return String(selected) === marked && marked.length > 0;";
    assert_eq!(browser.run(same).await, true);
    assert!(!browser.text().await.contains("2 readers chose to answer"));
    // Without the selection, it updates again.
    browser.run("selected.removeAllRanges(); return 1;").await;
    browser.wait_for_text("2 readers chose to answer").await;

    // Every editors' page has the script, so snippets can be copied.
    browser.goto(&app.url("/admin/polls/trust/embed")).await;
    browser.find("[data-copy] button").await;
    browser.close().await;
}

/// Percentages come with the thirtieth answer, and go when editors leave answers out; so do the remarks.
#[tokio::test(flavor = "multi_thread")]
async fn a_result_page_follows_in_all_its_parts() {
    let app = TestApp::start().await;
    app.poll_with("trust", |poll| {
        let question = &mut poll.questions[0];
        (question.kind, question.max_choices) = (Kind::Several, 2);
    })
    .await;
    let answer = async |place: &str| {
        let fields = [("option", "1"), ("place", place)];
        app.reader().post("/p/trust", &fields).await.expect(200);
    };
    for _ in 0..15 {
        answer("page").await;
    }
    for _ in 0..14 {
        answer("embed").await;
    }
    let Some(browser) = Browser::open(Look::default()).await else {
        return;
    };
    let shares = "return [...document.querySelectorAll('[data-share]')].map(c => c.hidden ? null : c.textContent);";
    let none = json!([null, null, null, null]);
    let percentages = "percentages are of all who answered";
    browser.goto(&app.url("/p/trust/results")).await;
    assert_eq!(browser.run(shares).await, none);
    assert!(!browser.text().await.contains(percentages));

    answer("page").await;
    browser.wait_for_text("30 readers chose to answer").await;
    let all = json!(["Share", "100%", "0%", "0%"]);
    assert_eq!(browser.run(shares).await, all);
    browser.wait_for_text(percentages).await;
    browser.assert_accessible().await;

    let editor = crate::support::editor::signed_in(&app).await;
    let page = editor.get("/admin/polls/trust/removals").await.expect(200);
    let asked = page.form("form.filters").choose("place", "2");
    let page = editor.submit(asked).await.expect(200);
    let form = page.form("main form.form").fill("reason", "A class");
    let page = editor.submit(form.button("then", "remove")).await;
    // They are more than a quarter.
    let form = page.expect(200).form("main form.form");
    let page = editor
        .submit(form.button("then", "remove"))
        .await
        .expect(200);
    let aside = "14 answers were left out by the editors: A class";
    browser.wait_for_text(aside).await;
    assert_eq!(browser.run(shares).await, none);
    assert!(!browser.text().await.contains(percentages));
    browser.assert_accessible().await;

    let back = page.form("form.inline-form[action='/admin/polls/trust/removals']");
    let back = editor.submit(back.button("then", "restore")).await;
    back.expect(200);
    browser.wait_for_text("30 readers chose to answer").await;
    assert!(!browser.text().await.contains(aside));
    assert_eq!(browser.run(shares).await, all);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mail_queue_moves_by_itself_and_keeps_what_was_opened() {
    let app = TestApp::start().await;
    app.newsletter("daily").await;
    let Some(browser) = signed_in(&app).await else {
        return;
    };
    browser.goto(&app.url("/admin/mail")).await;
    browser
        .wait_for_text("No mail is waiting, and none has failed.")
        .await;
    browser
        .run("window.stayed = true; window.part = document.getElementById('queue'); for (const d of document.querySelectorAll('#queue details')) d.open = true; return 1;")
        .await;
    // One that failed, as the mailer leaves it.
    let txn = app.app.db.write_txn("test").await.unwrap();
    let sql = "INSERT INTO outbox (priority, template, payload, message_id, state, not_before_ms, expires_ms, created_ms, reply) \
               VALUES (0, 'confirm-subscription', '', 'x', 3, 1, 9, 1, '550 5.1.1 no such user')";
    canvass::db::run(&*txn, sql, []).await.unwrap();
    txn.commit().await.unwrap();
    browser.wait_for_text("550 5.1.1 no such user").await;
    let script = "return [window.stayed, window.part !== document.getElementById('queue'), \
                  [...document.querySelectorAll('#queue details')].every((d) => d.open)];";
    assert_eq!(browser.run(script).await, json!([true, true, true]));
    browser.close().await;
}
