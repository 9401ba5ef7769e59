//! Newsletters over the JSON API.

use serde_json::{Value, json};

use super::support::app::TestApp;

async fn post(app: &TestApp, token: &str, key: &str, body: &Value) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client
        .post(app.url("/api/v1/newsletters"))
        .bearer_auth(token)
        .header("idempotency-key", key);
    let answer = request.json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_script_makes_a_newsletter_once() {
    let app = TestApp::start().await;
    let token = app.api_token().await;
    let brief = json!({ "slug": "brief", "name": "The Brief", "from": "Linden Post <brief@lindenpost.example>" });
    let (status, made) = post(&app, &token, "one", &brief).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(made["from_name"], "Linden Post");
    assert_eq!(made["consent_version"], 1);
    assert_eq!(made["url"], app.url("/subscribe/brief"));
    assert_eq!(
        post(&app, &token, "one", &brief).await,
        (201, made),
        "the same key, the same answer"
    );
    assert_eq!(post(&app, &token, "two", &brief).await.0, 409);
    assert_eq!(app.count("SELECT COUNT(*) FROM newsletter").await, 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM consent_text").await, 1);
    assert_eq!(post(&app, "wrong", "three", &brief).await.0, 401);
}

#[tokio::test]
async fn what_is_wrong_is_named_by_field() {
    let app = TestApp::start().await;
    let token = app.api_token().await;
    let whole = json!({ "slug": "brief", "name": "The Brief", "from": "brief@lindenpost.example" });
    for (field, value) in [
        ("slug", json!("The Brief")),
        ("slug", json!("new")),
        ("name", json!("a\r\nBcc: b@example.org")),
        ("from", json!("nobody")),
        ("from", json!("A\nB <a@b.example>")),
        ("reply_to", json!("x@")),
        ("time_zone", json!("Mars/Olympus")),
        ("accent", json!("#ffffff")),
        ("consent", json!("x".repeat(5_000))),
    ] {
        let mut body = whole.clone();
        body[field] = value;
        let (status, problem) = post(&app, &token, field, &body).await;
        assert_eq!(status, 422, "{field}: {problem}");
        let named = problem["errors"].as_array().unwrap();
        assert!(named.iter().any(|e| e["field"] == field), "{problem}");
    }
    let mut body = whole.clone();
    body["colour"] = json!("red");
    assert_eq!(
        post(&app, &token, "x", &body).await.0,
        422,
        "a field of nobody's"
    );
    assert_eq!(app.count("SELECT COUNT(*) FROM newsletter").await, 0);
}
