//! Answering from a mail, from other sites' pages, and through the API.

use std::time::Duration;

use canvass::types::varint::pack;
use canvass::types::{PollId, Purpose};
use serde_json::{Value, json};

use crate::support::app::{START, TestApp};

const SECOND: Duration = Duration::from_secs(1);

/// A reader's personal link to option `key`.
pub async fn link(app: &TestApp, poll: PollId, key: i64, address: &str) -> String {
    let sql = format!(
        "INSERT INTO reader (email_key, email, created_ms) VALUES ('{address}', '{address}', 1) \
         ON CONFLICT (email_key) DO UPDATE SET created_ms = 1 RETURNING id"
    );
    let txn = app.app.db.write_txn("test").await.unwrap();
    let row = canvass::db::fetch_one(&*txn, sql, [])
        .await
        .unwrap()
        .unwrap();
    txn.commit().await.unwrap();
    let reader: i64 = row.try_get_by_index(0).unwrap();
    format!(
        "/v/{}",
        app.app
            .keys
            .seal(Purpose::Vote, &pack(&[poll.0, key, reader]))
    )
}

#[tokio::test]
async fn polls_a_mail_link_counts_by_its_button_only() {
    let app = TestApp::start().await;
    let poll = app.poll("trust").await;
    let (yes, no) = (
        link(&app, poll, 1, "ada@example.org").await,
        link(&app, poll, 2, "ada@example.org").await,
    );
    let reader = app.reader();
    // A scanner opens every link, and presses at once.
    for path in [&yes, &no] {
        let page = reader.get(path).await.expect(200);
        assert_eq!(page.headers["cache-control"], "no-store");
        assert_eq!(page.headers["referrer-policy"], "no-referrer");
        assert!(
            page.headers["x-robots-tag"]
                .to_str()
                .unwrap()
                .contains("noindex")
        );
        reader
            .submit(page.the_form())
            .await
            .expect(409)
            .says("faster than a person reads");
        reader.post(path, &[("option", "1")]).await.expect(409);
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 0);
    // Then the reader comes.
    let page = reader.get(&no).await.expect(200);
    assert_eq!(page.attributes("input[checked]", "value"), ["2"]);
    app.advance(SECOND);
    let result = reader
        .submit(page.the_form())
        .await
        .expect(200)
        .says("Your answer has been counted")
        .says("in the newsletter");
    assert_eq!(result.all("tr.is-own .result-label"), ["No"]);
    // She changes her mind by the other link; it remains one ballot, of a confirmed subscriber.
    let page = reader
        .get(&yes)
        .await
        .expect(200)
        .says("You have already answered this poll");
    app.advance(SECOND);
    reader
        .submit(page.the_form())
        .await
        .expect(200)
        .says("Your answer has been counted");
    assert_eq!(
        app.count("SELECT COUNT(*) FROM ballot WHERE tier = 2")
            .await,
        1
    );
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 1);
}

#[tokio::test]
async fn polls_mail_links_that_are_not_whole_do_nothing() {
    let app = TestApp::start().await;
    let poll = app
        .poll_with("trust", |d| d.closes_at = Some(START + 60 * SECOND))
        .await;
    let good = link(&app, poll, 1, "ada@example.org").await;
    let reader = app.reader();
    let other = app
        .app
        .keys
        .seal(Purpose::Unsubscribe, &pack(&[poll.0, 1, 1]));
    let (mut cut, mut swapped) = (good.clone(), good.clone());
    cut.pop();
    swapped.replace_range(10..11, if &good[10..11] == "A" { "B" } else { "A" });
    let unknown = app
        .app
        .keys
        .seal(Purpose::Vote, &pack(&[poll.0 + 99, 1, 1]));
    for path in [
        cut,
        swapped,
        format!("/v/{other}"),
        format!("/v/{unknown}"),
        "/v/x".into(),
        "/v/%00".into(),
    ] {
        let page = reader.get(&path).await;
        assert!(
            matches!(page.status.as_u16(), 400 | 404),
            "{path}: {}",
            page.status
        );
        let page = reader.post(&path, &[("option", "1"), ("nonce", "x")]).await;
        assert!(
            matches!(page.status.as_u16(), 400 | 404),
            "{path}: {}",
            page.status
        );
    }
    // Rejected: another link's nonce, another site's form, a test mail, and a vote after the close.
    let page = reader.get(&good).await.expect(200);
    let foreign = link(&app, poll, 1, "bob@example.org").await;
    app.advance(SECOND);
    let nonce = page.the_form().value("nonce").unwrap().to_owned();
    reader
        .post(&foreign, &[("option", "1"), ("nonce", &nonce)])
        .await
        .expect(409);
    let evil = app
        .reader()
        .with_header("origin", "https://evil.example")
        .with_header("sec-fetch-site", "cross-site");
    evil.post(&good, &[("option", "1"), ("nonce", &nonce)])
        .await
        .expect(403);
    let test_mail = app.app.keys.seal(Purpose::Vote, &pack(&[poll.0, 1, 0]));
    let test_page = reader.get(&format!("/v/{test_mail}")).await.expect(200);
    reader
        .submit(test_page.the_form())
        .await
        .expect(409)
        .says("test email");
    reader
        .post(&good, &[("option", "9"), ("nonce", &nonce)])
        .await
        .expect(422);
    app.advance(60 * SECOND);
    reader
        .submit(page.the_form())
        .await
        .expect(409)
        .says("Your answer was not counted. The poll closed on");
    reader.get(&good).await.expect(200).says("Closed on");
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 0);
}

async fn call(app: &TestApp, token: &str, path: &str, body: Value) -> (u16, Value) {
    let request = reqwest::Client::new()
        .post(app.url(path))
        .bearer_auth(token)
        .json(&body);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn polls_scripts_make_polls_and_cast_ballots() {
    let app = TestApp::start().await;
    let token = app.api_token().await;
    let made =
        json!({"slug": "trust", "question": "Do you trust the media?", "options": ["Yes", "No"]});
    let (status, poll) = call(&app, &token, "/api/v1/polls", made.clone()).await;
    assert_eq!(
        (status, &poll["questions"][0]["options"][1]),
        (201, &json!({"key": 2, "label": "No"}))
    );
    assert_eq!(
        call(&app, &token, "/api/v1/polls", made.clone()).await.0,
        409
    );
    let (status, problem) = call(
        &app,
        &token,
        "/api/v1/polls",
        json!({"slug": "Bad Slug", "question": "", "options": ["a"]}),
    )
    .await;
    assert_eq!(
        (status, problem["errors"].as_array().unwrap().len()),
        (422, 3)
    );
    assert_eq!(call(&app, "wrong", "/api/v1/polls", made).await.0, 401);

    let ballots = "/api/v1/polls/trust/ballots";
    let (status, ballot) = call(&app, &token, ballots, json!({"option": [2], "voter": "u1"})).await;
    assert_eq!((status, &ballot["option"]), (201, &json!([2])));
    let (status, ballot) = call(
        &app,
        &token,
        ballots,
        json!({"option": ["Yes"], "voter": "u1"}),
    )
    .await;
    assert_eq!((status, &ballot["option"]), (200, &json!([1])));
    assert_eq!(
        call(&app, &token, ballots, json!({"option": "2", "voter": "u2"}))
            .await
            .0,
        201
    );
    for (body, status) in [
        (json!({"option": [1, 2], "voter": "u3"}), 422),
        (json!({"option": [3], "voter": "u3"}), 422),
        (json!({"option": [], "voter": "u3"}), 422),
        (json!({"option": {"a": 1}}), 422),
        (json!({"option": [1], "voter": "ada@example.org"}), 422),
        (json!({"option": [1], "tier": 3}), 422),
    ] {
        assert_eq!(
            call(&app, &token, ballots, body.clone()).await.0,
            status,
            "{body}"
        );
    }
    assert_eq!(
        call(
            &app,
            &token,
            "/api/v1/polls/nothing/ballots",
            json!({"option": [1]})
        )
        .await
        .0,
        404
    );

    let request = reqwest::Client::new()
        .get(app.url("/api/v1/polls/trust/results"))
        .bearer_auth(&token);
    let results: Value = request.send().await.unwrap().json().await.unwrap();
    assert_eq!(
        (
            &results["voters"],
            &results["questions"][0]["rows"][0]["votes"]
        ),
        (&json!(2), &json!(1))
    );
}

#[tokio::test]
async fn polls_other_sites_get_a_module_an_iframe_and_oembed() {
    let app = TestApp::start_with(|config| {
        config.http.embed_origins = vec!["https://news.example".into()]
    })
    .await;
    app.poll("trust").await;
    let reader = app.reader();
    let module = reader.get("/embed/poll.js").await.expect(200);
    assert!(
        module.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/javascript")
    );
    assert!(
        !module.body.contains(".innerHTML"),
        "data never becomes markup"
    );
    let frame = reader
        .get("/embed/p/trust")
        .await
        .expect(200)
        .says("Do you trust the mainstream media?");
    let policy = frame.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("frame-ancestors 'self' https://news.example"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe-inline"));

    let from = |origin| app.reader().with_header("origin", origin);
    let data = from("https://news.example")
        .get("/embed/p/trust/data")
        .await
        .expect(200);
    assert_eq!(
        data.headers["access-control-allow-origin"],
        "https://news.example"
    );
    let data: Value = serde_json::from_str(&data.body).unwrap();
    assert_eq!(
        (&data["open"], &data["questions"][0]["options"][2]["label"]),
        (&json!(true), &json!("Unsure"))
    );
    let data = from("https://evil.example")
        .get("/embed/p/trust/data")
        .await
        .expect(200);
    assert!(data.headers.get("access-control-allow-origin").is_none());

    let url = form_urlencoded::byte_serialize(app.url("/p/trust").as_bytes()).collect::<String>();
    let found = reader
        .get(&format!("/oembed?url={url}&maxwidth=400"))
        .await
        .expect(200);
    let found: Value = serde_json::from_str(&found.body).unwrap();
    assert_eq!(
        (&found["type"], &found["width"]),
        (&json!("rich"), &json!(400))
    );
    assert!(found["html"].as_str().unwrap().contains("/embed/p/trust"));
    // Advertised on the poll's page, where systems look for it; the same is available as XML.
    let page = reader.get("/p/trust").await.expect(200);
    let named = page.attributes("link[type='application/json+oembed']", "href");
    assert_eq!(named, [app.url(&format!("/oembed?url={url}"))]);
    reader.get(&named[0]).await.expect(200);
    let named = page.attributes("link[type='text/xml+oembed']", "href");
    let xml = reader.get(&named[0]).await.expect(200);
    assert_eq!(xml.headers["content-type"], "text/xml; charset=utf-8");
    assert!(xml.body.contains("<html>&lt;iframe src=&quot;http://"));
    reader
        .get(&format!("/oembed?url={url}&format=yaml"))
        .await
        .expect(501);
    reader
        .get("/oembed?url=https://evil.example/p/trust")
        .await
        .expect(404);
    reader.get("/oembed").await.expect(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_viewers_see_answers_come_in() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    let mut live = reqwest::Client::new()
        .get(app.url("/p/trust/live"))
        .send()
        .await
        .unwrap();
    assert_eq!(live.headers()["content-type"], "text/event-stream");
    let mut seen = String::new();
    let reader = app.reader();
    for want in ["\"voters\":0", "\"voters\":1"] {
        while !seen.contains(want) {
            let chunk = tokio::time::timeout(10 * SECOND, live.chunk())
                .await
                .expect("an event in time");
            seen.push_str(&String::from_utf8_lossy(&chunk.unwrap().unwrap()));
        }
        reader
            .post("/p/trust", &[("option", "1")])
            .await
            .expect(200);
    }
    // The server can stop even though somebody is watching.
    tokio::time::timeout(10 * SECOND, app.stop())
        .await
        .expect("stopped");
}
