//! Linked polls on the editors' pages and for scripts.

use serde_json::{Value, json};

use crate::polls_linked::WORDS;
use crate::support::app::TestApp;
use crate::support::editor::signed_in;
use crate::support::issues::subscribe;

#[tokio::test]
async fn polls_linked_the_mode_is_chosen_in_the_draft_and_stays() {
    let app = TestApp::start().await;
    let browser = signed_in(&app).await;
    let page = browser.get("/admin/polls/new").await.expect(200);
    let mut form = page.form("main form.form");
    assert_eq!(form.value("linking"), Some("secret"), "the default");
    form = form
        .fill("question.1", "Is the tram worth it?")
        .with_options(1, &["Yes", "No"])
        .choose("linking", "linked")
        .fill("link_words", " ");
    let page = browser
        .submit(form.button("then", "save"))
        .await
        .expect(422);
    let page = page.says("Write what readers agree to");
    let form = page.form("main form.form").fill("link_words", WORDS);
    let page = browser
        .submit(form.button("then", "save"))
        .await
        .expect(200);
    assert_eq!(page.url.path(), "/admin/polls/is-the-tram-worth-it");
    page.says("linked only where a reader agreed to it");
    let edit = "/admin/polls/is-the-tram-worth-it/edit";

    // A draft can still become secret, and linked again.
    for (mode, linked) in [("secret", 0), ("linked", 1)] {
        let page = browser.get(edit).await.expect(200);
        let form = page.form("main form.form").choose("linking", mode);
        browser
            .submit(form.button("then", "save"))
            .await
            .expect(200);
        let sql = "SELECT CAST(linked AS BIGINT) FROM poll";
        assert_eq!(app.count(sql).await, linked);
    }
    let page = browser.get(edit).await.expect(200);
    let draft = page.form("main form.form").fill("link_words", WORDS);
    browser
        .submit(draft.clone().button("then", "save"))
        .await
        .expect(200);
    let publish = "form[action='/admin/polls/is-the-tram-worth-it/publish']";
    let page = browser.get("/admin/polls/is-the-tram-worth-it").await;
    browser.submit(page.form(publish)).await.expect(200);

    // Once readers have been told, neither the form that is open nor an old page can change it.
    let page = browser.get(edit).await.expect(200);
    let page = page
        .says(WORDS)
        .says("This cannot be changed after the poll has been opened");
    let open = page.form("main form.form");
    assert_eq!(open.value("linking"), None);
    for (name, value) in [("linking", "secret"), ("link_words", "Other words.")] {
        let mut form = open.clone();
        form.fields.push((name.into(), value.into()));
        let page = browser.submit(form.button("then", "save")).await;
        page.expect(422).says("make a new poll instead");
    }
    let old = draft.choose("linking", "secret");
    browser
        .submit(old.button("then", "save"))
        .await
        .expect(409)
        .says("Somebody else changed this poll");
    browser
        .submit(
            open.fill("closes", "2026-04-01T10:00")
                .button("then", "save"),
        )
        .await
        .expect(200);
    let poll = canvass::polls::by_slug(&app.app.db, "is-the-tram-worth-it").await;
    let poll = poll.unwrap().unwrap();
    assert_eq!(poll.linking.map(|words| words.text).as_deref(), Some(WORDS));
    assert!(poll.closes_at.is_some());
}

#[tokio::test]
async fn polls_linked_scripts_choose_the_mode() {
    let app = TestApp::start().await;
    let token = app.api_token().await;
    let client = reqwest::Client::new();
    let make = |body: Value| {
        let request = client
            .post(app.url("/api/v1/polls"))
            .bearer_auth(&token)
            .json(&body);
        async move {
            let answer = request.send().await.unwrap();
            (
                answer.status().as_u16(),
                answer.json::<Value>().await.unwrap(),
            )
        }
    };
    let poll = |slug: &str| json!({ "slug": slug, "question": "Tram?", "options": ["Yes", "No"] });
    let (status, made) = make(poll("secret")).await;
    assert_eq!((status, &made["linking"]), (201, &json!("secret")));
    assert_eq!(made["link_words"], Value::Null);

    let mut linked = poll("linked");
    linked["linking"] = "linked".into();
    let (status, made) = make(linked.clone()).await;
    assert_eq!((status, &made["linking"]), (201, &json!("linked")));
    let suggested = made["link_words"].as_str().unwrap();
    assert!(suggested.contains("withdraw this"), "{suggested}");
    linked["link_words"] = WORDS.into();
    let (status, _) = make(linked.clone()).await;
    assert_eq!(status, 409, "there is such a poll: nothing of it changes");
    linked["slug"] = "own-words".into();
    let (_, made) = make(linked.clone()).await;
    assert_eq!(made["link_words"], WORDS);

    for (field, value) in [("link_words", json!("two\nlines")), ("linking", json!("x"))] {
        let mut wrong = linked.clone();
        wrong["slug"] = "wrong".into();
        wrong[field] = value;
        let (status, problem) = make(wrong).await;
        assert!(matches!(status, 400 | 422), "{field}: {status} {problem}");
    }
    let mut odd = poll("wrong");
    odd["link_words"] = WORDS.into();
    let (status, problem) = make(odd).await;
    assert_eq!(status, 422);
    assert!(problem.to_string().contains("secret poll"), "{problem}");
    // A script has no reader, so there is nothing to tick and nothing to link.
    let ballot = client
        .post(app.url("/api/v1/polls/linked/ballots"))
        .bearer_auth(&token)
        .json(&json!({ "option": [1], "link": 1 }));
    assert!(ballot.send().await.unwrap().status().is_client_error());
    let ballot = client
        .post(app.url("/api/v1/polls/linked/ballots"))
        .bearer_auth(&token)
        .json(&json!({ "option": [1] }));
    assert_eq!(ballot.send().await.unwrap().status(), 201);
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot_link").await, 0);
    let document = client.get(app.url("/api/v1/openapi.json")).send().await;
    let document = document.unwrap().text().await.unwrap();
    assert!(document.contains("link_words"));
}

#[tokio::test]
async fn polls_linked_a_random_sample_is_asked_in_secret() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("morning").await;
    subscribe(&app, &newsletter, 60).await;
    app.poll_with("trust", |poll| poll.linking = Some(WORDS.to_owned()))
        .await;
    let browser = signed_in(&app).await;
    let draw = |poll: &str| {
        let path = format!("/admin/polls/{poll}/sample?newsletter=morning&size=50&seed=lottery");
        let browser = browser.clone();
        async move {
            let page = browser.get(&path).await.expect(200);
            browser
                .submit(page.form("form[method=post][action$='/sample']"))
                .await
        }
    };
    // The sample's poll beside a linked open poll is secret.
    draw("trust").await.expect(200).says("The sample is drawn");
    let beside = canvass::polls::by_slug(&app.app.db, "trust-sample").await;
    assert_eq!(beside.unwrap().unwrap().linking, None);
    // A linked draft cannot become a sample's poll.
    app.poll_with("draft", |poll| poll.linking = Some(WORDS.to_owned()))
        .await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    let sql = "UPDATE poll SET state = 0 WHERE slug = 'draft'";
    canvass::db::run(&*txn, sql, []).await.unwrap();
    txn.commit().await.unwrap();
    draw("draft").await.expect(409).says("asked in secret");
    assert_eq!(app.count("SELECT COUNT(*) FROM poll_sample").await, 1);
}
