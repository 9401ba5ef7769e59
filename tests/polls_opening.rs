//! Opening a poll: not after its close, on the editors' pages or by a script; and only as an editor saw it.

use std::time::Duration;

use serde_json::{Value, json};

use super::support::app::TestApp;
use super::support::editor::{draft_poll, signed_in, signed_in_as};

#[tokio::test]
async fn a_poll_is_not_opened_after_its_close() {
    let app = TestApp::start().await;
    let browser = signed_in(&app).await;
    let page = browser.get("/admin/polls/new").await.expect(200);
    let form = page
        .form("main form.form")
        .fill("question.1", "Is the tram worth it?")
        .fill("slug", "tram")
        .fill("closes", "2026-03-01T18:00")
        .with_options(1, &["Yes", "No"]);
    let page = browser
        .submit(form.button("then", "save"))
        .await
        .expect(200);
    let publish = page.form("form[action$='/publish']");
    let page = browser.submit(publish).await.expect(422);
    assert_eq!(
        page.attributes(".error-summary a", "href"),
        ["#closes"],
        "the form of the draft, with the field to correct"
    );
    let page = page.says("This closing time has passed");
    assert_eq!(
        app.count("SELECT COUNT(*) FROM poll WHERE state = 0").await,
        1
    );
    let form = page
        .form("main form.form")
        .fill("closes", "2026-03-02T18:00");
    let page = browser
        .submit(form.button("then", "save"))
        .await
        .expect(200);
    let publish = page.form("form[action$='/publish']");
    let page = browser.submit(publish).await.expect(200);
    let page = page.says("The poll is open. Readers can answer now.");

    // Closed by hand; its closing time passes before the button is pressed that opens it again.
    let page = browser
        .submit(page.form("form[action$='/close']"))
        .await
        .expect(200);
    app.advance(Duration::from_secs(24 * 60 * 60));
    browser
        .submit(page.form("form[action$='/reopen']"))
        .await
        .expect(422)
        .says("This closing time has passed");
    let page = browser.get("/admin/polls/tram?done=published").await;
    assert!(!page.text().contains("can answer now"));
}

#[tokio::test]
async fn a_poll_is_opened_only_as_the_editor_saw_it() {
    let app = TestApp::start().await;
    let mara = signed_in(&app).await;
    let seen = draft_poll(&mara, "tram", "Is the tram worth it?").await;
    let omar = signed_in_as(&app, "omar@lindenpost.example").await;
    let edit = omar.get("/admin/polls/tram/edit").await.expect(200);
    let form = edit
        .form("main form.form")
        .fill("question.1", "Is the bus worth it?");
    omar.submit(form.button("then", "save")).await.expect(200);

    let publish = seen.form("form[action$='/publish']");
    let page = mara.submit(publish).await.expect(409);
    page.says("was not opened");
    app.reader().get("/p/tram").await.expect(404);
    let seen = mara.get("/admin/polls/tram").await.expect(200);
    let publish = seen
        .says("Is the bus worth it?")
        .form("form[action$='/publish']");
    mara.submit(publish.clone()).await.expect(200);
    // The second press of a double click.
    mara.submit(publish).await.expect(200);
    app.reader().get("/p/tram").await.expect(200);
}

#[tokio::test]
async fn a_script_publishes_no_poll_after_its_close() {
    let app = TestApp::start().await;
    let token = app.api_token().await;
    let make = async |body: &Value| {
        let request = reqwest::Client::new()
            .post(app.url("/api/v1/polls"))
            .header("idempotency-key", "once")
            .bearer_auth(&token);
        let answer = request.json(body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.unwrap())
    };
    let mut poll = json!({
        "slug": "tram", "question": "Tram?", "options": ["Yes", "No"], "closes_at": "2026-03-02T09:00:00Z"
    });
    let (status, problem) = make(&poll).await;
    assert_eq!(status, 422);
    assert!(problem.to_string().contains("closes_at"), "{problem}");
    assert_eq!(app.count("SELECT COUNT(*) FROM poll").await, 0);
    poll["closes_at"] = "2026-03-02T09:30:00Z".into();
    assert_eq!(make(&poll).await.0, 201);
    // Repeated after the close, the request gets its first response.
    app.advance(Duration::from_secs(60 * 60));
    assert_eq!(make(&poll).await.0, 201);
    let draft = json!({
        "slug": "later", "question": "Tram?", "options": ["Yes", "No"], "closes_at": "2026-03-02T09:00:00Z",
        "draft": true
    });
    let request = reqwest::Client::new().post(app.url("/api/v1/polls"));
    let made = request.bearer_auth(&token).json(&draft).send().await;
    assert_eq!(made.unwrap().status(), 201);
}
