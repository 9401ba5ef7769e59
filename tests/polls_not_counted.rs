//! Answers that are not counted, and what readers are told about them.

use std::time::Duration;

use canvass::polls::{self, RefusalReason};

use crate::support::app::{START, TestApp};
use crate::support::editor::signed_in;

#[tokio::test]
async fn polls_what_cannot_be_counted_has_a_page_that_says_why() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    app.poll_with("several", |d| {
        d.questions[0].min_choices = 2;
        d.questions[0].max_choices = 2;
    })
    .await;
    app.poll_with("later", |d| {
        d.opens_at = Some(START + Duration::from_secs(60))
    })
    .await;
    app.poll_with("over", |d| {
        d.closes_at = Some(START + Duration::from_secs(60))
    })
    .await;
    let reader = app.reader();

    reader.get("/p/nothing").await.expect(404);
    reader
        .post("/p/nothing", &[("option", "1")])
        .await
        .expect(404);
    let page = reader
        .post("/p/trust", &[])
        .await
        .expect(422)
        .says("Choose an answer");
    assert_eq!(page.attributes(".error-summary a", "href"), ["#o1"]);
    reader
        .post("/p/trust", &[("option", "9")])
        .await
        .expect(422)
        .says("Choose one of this poll’s answers");
    reader
        .post("/p/trust", &[("option", "1"), ("option", "2")])
        .await
        .expect(422)
        .says("Choose only one answer.");
    reader
        .post("/p/several", &[("option", "1")])
        .await
        .expect(422)
        .says("Choose at least 2");
    let kept = reader
        .post(
            "/p/several",
            &[("option", "1"), ("option", "2"), ("option", "3")],
        )
        .await
        .expect(422);
    assert_eq!(
        kept.attributes("input[checked]", "value"),
        ["1", "2", "3"],
        "what was ticked is kept"
    );

    reader
        .get("/p/later")
        .await
        .expect(200)
        .says("This poll opens on 2 March 2026, 10:01 CET");
    reader
        .post("/p/later", &[("option", "1")])
        .await
        .expect(409)
        .says("Your answer was not counted");
    let before = app.reader();
    before.post("/p/over", &[("option", "1")]).await.expect(200);
    app.advance(Duration::from_secs(60));
    before
        .post("/p/over", &[("option", "2")])
        .await
        .expect(409)
        .says("Your answer was not counted. The poll closed on 2 March 2026");
    let over = reader
        .get("/p/over")
        .await
        .expect(200)
        .says("Closed on 2 March 2026");
    assert_eq!(over.all(".result-count"), ["1", "0", "0"]);
    reader
        .post("/p/later", &[("option", "1")])
        .await
        .expect(200);
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 2);
    assert_eq!(
        app.count("SELECT CAST(SUM(n) AS BIGINT) FROM refusal")
            .await,
        6
    );
}

#[tokio::test]
async fn polls_bad_input_is_refused_without_a_trace() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    let reader = app.reader();
    let form = "application/x-www-form-urlencoded";
    let huge = "option=".to_owned() + &"1".repeat(1_000_000);
    for (body, content_type, status) in [
        (&b"option=%ff"[..], form, 400),
        (b"option=1%00", form, 400),
        (b"option=\xff", form, 400),
        (b"option=1%0d%0aSet-Cookie:x", form, 422),
        (b"option=1&place=a&place=b", form, 400),
        (b"option=1&marker=a&marker=b", form, 400),
        (b"{\"option\":[1]}", "application/json", 415),
        (b"option=1", "text/plain", 415),
        (b"option=-1", form, 422),
        (b"option=101", form, 422),
        (b"", form, 422),
        (huge.as_bytes(), form, 413),
    ] {
        let request = reqwest::Client::new().post(app.url("/p/trust"));
        let answer = request
            .header("content-type", content_type)
            .body(body.to_vec())
            .send()
            .await
            .unwrap();
        assert_eq!(
            answer.status().as_u16(),
            status,
            "{}",
            String::from_utf8_lossy(&body[..body.len().min(60)])
        );
    }
    for path in [
        "/p/trust",
        "/p/%00",
        "/p/%ff",
        "/p/..%2f",
        "/p/trust/results?from=//evil.example&mail=%00",
    ] {
        let page = reader.get(path).await;
        assert!(page.status.as_u16() < 500, "{path}: {}", page.status);
        assert!(!page.body.contains("evil.example"));
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 0);
}

#[tokio::test]
async fn polls_only_sites_that_may_embed_can_send_answers() {
    let app = TestApp::start_with(|config| {
        config.http.embed_origins = vec!["https://news.example".into()]
    })
    .await;
    app.poll("trust").await;
    let from = |origin: &str, site: &str| {
        app.reader()
            .with_header("origin", origin)
            .with_header("sec-fetch-site", site)
    };
    from("https://evil.example", "cross-site")
        .post("/p/trust", &[("option", "1")])
        .await
        .expect(403)
        .says("another site");
    from("null", "cross-site")
        .post("/p/trust", &[("option", "1")])
        .await
        .expect(403);
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 0);
    assert_eq!(refused(&app).await, [(RefusalReason::OtherSite, 2)]);
    from("https://news.example", "cross-site")
        .post("/p/trust", &[("option", "1")])
        .await
        .expect(200);
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 1);
}

async fn refused(app: &TestApp) -> Vec<(RefusalReason, i64)> {
    let poll = polls::by_slug(&app.app.db, "trust").await.unwrap().unwrap();
    polls::refused(app.app.db.read(), poll.id).await.unwrap()
}

#[tokio::test]
async fn polls_editors_see_how_many_answers_were_not_counted_and_why() {
    let app = TestApp::start().await;
    app.poll_with("trust", |d| {
        d.closes_at = Some(START + Duration::from_secs(60))
    })
    .await;
    let editor = signed_in(&app).await;
    let turnout = "/admin/polls/trust/turnout";
    let page = editor.get(turnout).await.expect(200);
    page.says("No answer was refused.");
    let reader = app.reader();
    let proven = [("option", "1"), ("proof", "forged")];
    let stranger = app.reader().with_header("origin", "https://evil.example");
    let stranger = stranger.with_header("sec-fetch-site", "cross-site");
    reader.post("/p/trust", &proven).await.expect(200);
    stranger.post("/p/trust", &proven).await.expect(403);
    app.advance(Duration::from_secs(60));
    for _ in 0..2 {
        let late = reader.post("/p/trust", &[("option", "2")]).await;
        late.expect(409);
    }
    let page = editor.get(turnout).await.expect(200);
    let page = page.says("1 answer came with an invalid or outdated proof of work");
    assert_eq!(
        page.all("[aria-labelledby=refused] tbody tr > *"),
        [
            "The poll was closed",
            "2",
            "From the page of a site that is not allowed to embed polls",
            "1"
        ]
    );
    let file = "/admin/polls/trust/export/refusals.csv";
    let file = editor.get(file).await.expect(200);
    let lines: Vec<&str> = file.body.lines().collect();
    assert_eq!(lines.len(), 1 + 11, "reasons without refusals, too");
    for line in [
        "\u{feff}reason,count",
        "closed,2",
        "bad_proof,1",
        "other_site,1",
    ] {
        assert!(lines.contains(&line), "{line}: {lines:?}");
    }
    let token = app.api_token().await;
    let url = app.url("/api/v1/polls/trust/export/poll.json");
    let request = reqwest::Client::new().get(url).bearer_auth(token);
    let document: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
    let first = serde_json::json!({ "reason": "closed", "count": 2 });
    assert_eq!(document["refusals"][0], first);
}
