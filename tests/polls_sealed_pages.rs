//! A sealed poll as readers, editors and scripts see it.

use std::time::Duration;

use crate::polls_elsewhere::link;
use crate::support::app::{START, TestApp};
use crate::support::editor::signed_in;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn tick(app: &TestApp) {
    canvass::polls::ballots::watch_closes(&app.app.db, app.app.clock.now())
        .await
        .unwrap();
    canvass::polls::seal_tick(&app.app).await.unwrap();
}

async fn results(app: &TestApp, token: &str) -> serde_json::Value {
    let url = app.url("/api/v1/polls/trust/results");
    let request = app.reader().client().get(url).bearer_auth(token);
    request.send().await.unwrap().json().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_a_sealed_poll_is_kind_to_everybody() {
    let app = TestApp::start().await;
    let token = app.api_token().await;
    let id = app
        .poll_with("trust", |poll| poll.closes_at = Some(START + HOUR))
        .await;
    let reader = app.reader();
    let form = reader.get("/p/trust").await.expect(200).the_form();
    let stale = form.choose("option", "2");
    let page = reader.submit(stale.clone()).await.expect(200);
    assert!(
        page.all(".count-code").is_empty(),
        "no code before the close"
    );
    assert!(results(&app, &token).await["record"].is_null());
    let mail = link(&app, id, 1, "ada@example.org").await;

    app.advance(HOUR);
    tick(&app).await;
    app.advance(Duration::from_secs(2));
    let page = reader.get("/p/trust/results").await.expect(200);
    let page = page
        .says("The key that could be used to trace an answer to a reader will be destroyed on 9 March 2026.");
    assert_eq!(page.all(".is-own").len(), 1, "the reader's own answer");
    let code = page.all(".count-code code").concat();
    let closed = results(&app, &token).await;
    let hash = closed["record"]["hash"].as_str().unwrap();
    assert_eq!(code.replace(' ', ""), hash[..20]);
    let editor = signed_in(&app).await;
    let page = editor.get("/admin/polls/trust").await.expect(200);
    page.says("The key is destroyed on 9 March 2026");

    app.advance(DAY * 7);
    tick(&app).await;
    app.advance(Duration::from_secs(2));
    let page = reader.get("/p/trust/results").await.expect(200);
    let page = page.says("the key was destroyed on 9 March 2026.");
    assert_eq!(page.all(".is-own").len(), 0, "nobody knows it any more");
    assert_eq!(page.all(".count-code code").concat(), code);
    let sealed = results(&app, &token).await;
    assert_eq!(sealed["record"], closed["record"]);
    assert_eq!(sealed["questions"], closed["questions"]);
    assert!(sealed["sealed_at"].is_string());
    // A form from before the sealing, and a link from a mail.
    reader
        .submit(stale)
        .await
        .expect(409)
        .says("was not counted");
    let page = app.reader().get(&mail).await.expect(200);
    page.says("the key was destroyed");

    let editor = signed_in(&app).await;
    let page = editor.get("/admin/polls/trust").await.expect(200);
    let page = page.says("The key was destroyed on 9 March 2026");
    assert!(
        page.all(".page-head form").is_empty(),
        "nothing opens it again"
    );
    editor
        .get("/admin/polls/trust/turnout")
        .await
        .expect(200)
        .says("for all readers together");
    let page = editor.get("/admin/polls/trust/export/turnout.csv").await;
    page.expect(200).says(",all,1");
    editor.get("/admin/polls/trust/compare").await.expect(200);
    editor
        .get("/admin/polls/trust/bursts")
        .await
        .expect(200)
        .says("What counts stays as it is");
    let form = async || {
        let page = editor.get("/admin/polls/trust/edit").await;
        page.expect(200).form("main form.form")
    };
    // The visibility of the result can still be changed, but not the close.
    editor
        .submit(
            form()
                .await
                .choose("visibility", "never")
                .button("then", "save"),
        )
        .await
        .expect(200)
        .says("Saved.");
    let later = form()
        .await
        .fill("closes", "2027-01-01T12:00")
        .button("then", "save");
    editor
        .submit(later)
        .await
        .says("The key of this poll has been destroyed");
    assert_eq!(
        app.count("SELECT CAST(visibility AS BIGINT) FROM poll")
            .await,
        3
    );
}

#[tokio::test]
async fn polls_closed_by_hand_opens_again_until_it_is_sealed() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    let press = |act: &'static str| {
        let app = &app;
        async move {
            tick(app).await;
            // Days have passed, so nobody is signed in any more.
            let editor = signed_in(app).await;
            let page = editor.get("/admin/polls/trust").await.expect(200);
            let path = format!("/admin/polls/trust/{act}");
            editor
                .submit(page.form(&format!("form[action='{path}']")))
                .await
        }
    };
    press("close").await.expect(200);
    app.advance(DAY * 6);
    press("reopen")
        .await
        .expect(200)
        .says("accepts answers again");
    app.advance(DAY * 30);
    press("close").await.expect(200);
    app.advance(DAY * 6);
    tick(&app).await;
    assert_eq!(
        app.count("SELECT COUNT(*) FROM poll WHERE sealed_ms IS NOT NULL")
            .await,
        0
    );
    let editor = signed_in(&app).await;
    let page = editor.get("/admin/polls/trust").await.expect(200);
    let reopen = page.form("form[action='/admin/polls/trust/reopen']");
    app.advance(DAY);
    tick(&app).await;
    editor
        .submit(reopen)
        .await
        .expect(409)
        .says("The key of this poll has been destroyed");
}
