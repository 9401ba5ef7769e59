//! Subscriptions from a publisher's own pages and scripts.

use crate::subscriptions_at_the_door::four_kinds;
use crate::subscriptions_double_opt_in::text;
use crate::support::app::TestApp;

#[tokio::test]
async fn a_foreign_page_cannot_post_where_embedding_is_not_allowed() {
    let app = TestApp::start_with(|config| {
        config.http.embed_origins = vec!["https://news.example".to_owned()]
    })
    .await;
    app.newsletter("premium").await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (origin, status) in [("https://evil.example", 403), ("https://news.example", 200)] {
        let response = client
            .post(app.url("/subscribe/premium"))
            .header("origin", origin)
            .header("sec-fetch-site", "cross-site")
            .header("referer", format!("{origin}/article?user=7#x"))
            .form(&[("email", "anna@example.org"), ("consent", "on")])
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), status, "{origin}");
    }
    let page = text(&app, "SELECT page FROM subscription_request").await;
    assert!(!page.contains("user=7"), "{page}");
}

#[tokio::test]
async fn the_api_takes_every_well_formed_wish_alike() {
    let app = TestApp::start().await;
    let addresses = four_kinds(&app).await;
    let token = app.api_token().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let send = |body: serde_json::Value| {
        let request = client
            .post(app.url("/api/v1/subscriptions"))
            .bearer_auth(&token)
            .json(&body);
        async move {
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        }
    };
    let mut answers = Vec::new();
    for address in addresses {
        let body = serde_json::json!({"newsletter": "premium", "email": address, "consent": "Yes, send it to me.", "page": "https://news.example/a"});
        answers.push(send(body).await);
    }
    assert!(
        answers
            .iter()
            .all(|answer| *answer == (202, r#"{"status":"accepted"}"#.to_owned())),
        "{answers:?}"
    );
    let link = app.mail_to(addresses[2], 1).await.link("/confirm/");
    let reader = app.reader();
    reader
        .submit(reader.get(&link).await.the_form())
        .await
        .expect(200);
    let evidence = text(
        &app,
        "SELECT t.body || '|' || t.version || '|' || c.page || '|' || c.source FROM consent c \
         JOIN consent_text t ON t.id = c.consent_text_id JOIN reader r ON r.id = c.reader_id WHERE r.email_key = 'aaaa3@example.org'",
    )
    .await;
    assert_eq!(
        evidence,
        "Yes, send it to me.|-1|https://news.example/a|api"
    );
    reader.get("/subscribe/premium").await.expect(200);

    for (body, status) in [
        (
            serde_json::json!({"newsletter": "premium", "email": "new@example.org", "consent": true}),
            202,
        ),
        (
            serde_json::json!({"newsletter": "premium", "email": "x", "consent": true}),
            422,
        ),
        (
            serde_json::json!({"newsletter": "premium", "email": "a@example.org", "consent": false}),
            422,
        ),
        (
            serde_json::json!({"newsletter": "premium", "email": "a@example.org", "consent": " "}),
            422,
        ),
        (
            serde_json::json!({"newsletter": "premium", "email": "a@example.org"}),
            422,
        ),
        (
            serde_json::json!({"newsletter": "premium", "email": 7, "consent": true}),
            422,
        ),
        (
            serde_json::json!({"newsletter": "nothing", "email": "a@example.org", "consent": true}),
            404,
        ),
        (serde_json::json!([]), 422),
    ] {
        assert_eq!(send(body.clone()).await.0, status, "{body}");
    }
}
