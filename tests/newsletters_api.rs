//! Newsletters over the JSON API.

use std::time::Duration;

use canvass::api::{self, Begun, Caller, Write};
use canvass::db::{fetch_one, run};
use canvass::types::{Secret, token::token_hash};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
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
        ("language", json!("German")),
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

/// An idempotency key is kept for a week, and its row reveals nothing about the request.
#[tokio::test]
async fn keys_of_repeated_requests_are_forgotten() {
    const KEYS: &str = "SELECT COUNT(*) FROM idempotency";
    let app = TestApp::start().await;
    let token = app.api_token().await;
    let brief = json!({ "slug": "brief", "name": "The Brief", "from": "brief@lindenpost.example" });
    assert_eq!(post(&app, &token, "one", &brief).await.0, 201);
    app.advance(api::KEPT);
    assert_eq!(api::purge(&app.app).await.unwrap(), 0);
    assert_eq!(
        post(&app, &token, "one", &brief).await.0,
        201,
        "the first answer"
    );
    app.advance(Duration::from_millis(1));
    assert_eq!(api::purge(&app.app).await.unwrap(), 1);
    assert_eq!(app.count(KEYS).await, 0);
    assert_eq!(
        post(&app, &token, "one", &brief).await.0,
        409,
        "a new request"
    );

    // The same request has a different hash under another installation's keys, so it cannot be found by trying
    // addresses.
    let hash_on = async |secret: &str| {
        let app = TestApp::start_with(|c| c.secret_key = Secret::new(secret)).await;
        let token = app.api_token().await;
        assert_eq!(post(&app, &token, "one", &brief).await.0, 201);
        let sql = "SELECT request_hash FROM idempotency";
        let row = fetch_one(app.app.db.read(), sql, []).await.unwrap();
        row.unwrap().try_get_by_index::<Vec<u8>>(0).unwrap()
    };
    assert_ne!(
        hash_on(&"a".repeat(32)).await,
        hash_on(&"b".repeat(32)).await
    );
}

/// Responses that an earlier version stored under an unkeyed hash are still returned.
#[tokio::test]
async fn a_request_of_before_the_upgrade_is_answered_after_it() {
    let app = TestApp::start().await;
    app.api_token().await;
    let id = api::tokens::list(app.app.db.read()).await.unwrap()[0].id;
    let begin = async |request: &str| {
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static("idempotency-key"),
            HeaderValue::from_static("one"),
        )]);
        let caller = Caller {
            token: id,
            script: id,
        };
        Write::begin(&app.app, caller, &headers, "test", &request).await
    };
    let Ok(Begun::Fresh(write)) = begin("send it").await else {
        panic!("not fresh");
    };
    write.finish(StatusCode::CREATED, &7).await.unwrap();
    let txn = app.app.db.write_txn("test").await.unwrap();
    let plain = token_hash("test\n\"send it\"");
    let sql = "UPDATE idempotency SET request_hash = $1";
    run(&*txn, sql, [plain.into()]).await.unwrap();
    txn.commit().await.unwrap();
    match begin("send it").await {
        Ok(Begun::Repeated(answer)) => assert_eq!(answer.status(), 201),
        other => panic!("{other:?}"),
    }
    assert!(begin("send something else").await.is_err());
}

#[tokio::test]
async fn a_revoked_token_opens_nothing() {
    let app = TestApp::start().await;
    let token = app.api_token().await;
    let brief = json!({ "slug": "brief", "name": "The Brief", "from": "brief@lindenpost.example" });
    let db = app.app.db.read();
    let listed = api::tokens::list(db).await.unwrap();
    assert_eq!((listed.len(), listed[0].revoked), (1, None));
    let named = api::tokens::revoke(&app.app, listed[0].id).await.unwrap();
    assert_eq!(named.as_deref(), Some("test"));
    assert_eq!(post(&app, &token, "one", &brief).await.0, 401);
    let again = api::tokens::revoke(&app.app, listed[0].id).await.unwrap();
    assert_eq!(again, None);
}
