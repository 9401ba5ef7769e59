//! Issues through the JSON API: the contract that scripts rely on.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::issues::readers_at;
use crate::support::wait::Waiting;

pub struct Script {
    client: Client,
    base: String,
    token: String,
}

impl Script {
    pub async fn at(app: &TestApp) -> Self {
        Self {
            client: Client::builder().no_proxy().build().unwrap(),
            base: app.url("/api/v1"),
            token: app.api_token().await,
        }
    }

    pub async fn call(
        &self,
        method: Method,
        path: &str,
        key: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let mut request = self
            .client
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.token);
        if !key.is_empty() {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    pub async fn post(&self, path: &str, key: &str, body: Value) -> (StatusCode, Value) {
        self.call(Method::POST, path, key, Some(body)).await
    }

    pub async fn status(&self, id: &Value) -> Value {
        let (status, told) = self
            .call(Method::GET, &format!("/issues/{id}"), "", None)
            .await;
        assert_eq!(status, 200);
        told
    }

    pub async fn until(&self, id: &Value, state: &str) -> Value {
        let waiting = Waiting::until(&format!("the issue is {state}"));
        loop {
            let told = self.status(id).await;
            let counts = &told["counts"];
            let sum: i64 = ["queued", "sent", "deferred", "failed", "unknown", "skipped"]
                .iter()
                .map(|k| counts[k].as_i64().unwrap())
                .sum();
            assert_eq!(counts["audience"].as_i64().unwrap(), sum, "{told}");
            if told["state"] == state {
                return told;
            }
            waiting.still(&told).await;
        }
    }
}

pub fn issue() -> Value {
    json!({ "newsletter": "brief", "subject": "From a script", "body": "# Hello\n\n{{name|reader}}" })
}

#[tokio::test]
async fn create_send_watch() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("brief").await;
    readers_at(&app, &newsletter, "example.org", 12).await;
    let script = Script::at(&app).await;
    let (status, made) = script.post("/issues", "make", issue()).await;
    assert_eq!(status, 201, "{made}");
    let (_, again) = script.post("/issues", "make", issue()).await;
    assert_eq!(again, made, "a repeated key makes no second issue");
    let told = script.status(&made["id"]).await;
    assert_eq!(
        (told["state"].as_str(), told["counts"]["audience"].as_i64()),
        (Some("draft"), Some(0))
    );

    let send = format!("/issues/{}/send", made["id"]);
    let (status, first) = script.call(Method::POST, &send, "go", None).await;
    assert_eq!(status, 202, "{first}");
    assert_eq!(first["counts"]["audience"], 12);
    let (status, second) = script.call(Method::POST, &send, "go", None).await;
    assert_eq!((status.as_u16(), &second), (202, &first));
    let (status, _) = script.call(Method::POST, &send, "other", None).await;
    assert_eq!(status, 409);
    let told = script.until(&made["id"], "finished").await;
    assert_eq!(told["counts"]["sent"], 12);
    assert_eq!(app.count("SELECT COUNT(*) FROM captured_mail").await, 12);
}

/// Every name that the send tries is taken by others: that is a different error from "changed", and the request can be
/// repeated.
#[tokio::test]
async fn a_send_that_finds_no_name_says_so_and_can_be_repeated() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("brief").await;
    readers_at(&app, &newsletter, "example.org", 2).await;
    let script = Script::at(&app).await;
    let mut sends = Vec::new();
    for _ in 0..2 {
        let (_, made) = script.post("/issues", "", issue()).await;
        sends.push(format!("/issues/{}/send", made["id"]));
    }
    let (status, _) = script.call(Method::POST, &sends[0], "", None).await;
    assert_eq!(status, 202);
    let change = async |sql: &str| {
        let txn = app.app.db.write_txn("test").await.unwrap();
        canvass::db::run(&*txn, sql, []).await.unwrap();
        txn.commit().await.unwrap();
    };
    // With this index every name conflicts.
    change("CREATE UNIQUE INDEX one_only ON issue (newsletter_id) WHERE state = 3").await;
    let (status, told) = script.call(Method::POST, &sends[1], "", None).await;
    assert_eq!(status, 409);
    assert!(told.to_string().contains("took its name"), "{told}");
    assert_eq!(
        app.count("SELECT COUNT(*) FROM mailing").await,
        1,
        "nothing was done"
    );
    change("DROP INDEX one_only").await;
    let (status, _) = script.call(Method::POST, &sends[1], "", None).await;
    assert_eq!(status, 202);
}

#[tokio::test]
async fn schedule_by_wall_time_or_instant_and_take_it_back() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("brief").await;
    readers_at(&app, &newsletter, "example.org", 1).await;
    let script = Script::at(&app).await;
    let (_, made) = script.post("/issues", "", issue()).await;
    let path = |act: &str| format!("/issues/{}/{act}", made["id"]);
    let (status, told) = script
        .post(&path("schedule"), "", json!({ "at": "2026-03-29T02:30" }))
        .await;
    assert_eq!(
        (status.as_u16(), told["at"].as_str()),
        (200, Some("2026-03-29T01:00:00Z")),
        "{told}"
    );
    assert_eq!(script.status(&made["id"]).await["state"], "scheduled");
    let (status, told) = script.call(Method::POST, &path("cancel"), "", None).await;
    assert_eq!(
        (status.as_u16(), told["state"].as_str()),
        (200, Some("draft")),
        "{told}"
    );
    let order = json!({ "at": "2026-03-02T09:30:00Z", "time_zone": "Asia/Tokyo" });
    let (status, told) = script.post(&path("schedule"), "", order).await;
    assert_eq!(status, 200);
    assert_eq!(
        told["local"],
        "Mon 2 Mar 2026, 18:30 Asia/Tokyo (09:30 UTC)"
    );
    app.advance(Duration::from_secs(1_800));
    script.until(&made["id"], "finished").await;
}

#[tokio::test]
async fn what_cannot_be_done_says_why() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("brief").await;
    let script = Script::at(&app).await;
    let refused = [
        (json!({}), 422),
        (
            json!({ "newsletter": "none", "subject": "a", "body": "b" }),
            422,
        ),
        (
            json!({ "newsletter": "brief", "subject": "a\r\nBcc: b", "body": "b" }),
            422,
        ),
        (
            json!({ "newsletter": "brief", "subject": "a\u{0}", "body": "b" }),
            400,
        ),
        (
            json!({ "newsletter": "brief", "subject": "a", "body": "x".repeat(200_001) }),
            422,
        ),
        (
            json!({ "newsletter": "brief", "subject": 1, "body": [] }),
            422,
        ),
        (
            json!({ "newsletter": "brief", "subject": "a", "body": "b", "other": 1 }),
            422,
        ),
        (json!([]), 422),
    ];
    for (body, expected) in refused {
        let (status, problem) = script.post("/issues", "", body).await;
        assert_eq!(status.as_u16(), expected, "{problem}");
        assert!(problem["detail"].is_string());
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM issue").await, 0);
    let (_, made) = script.post("/issues", "", issue()).await;
    let path = |act: &str| format!("/issues/{}/{act}", made["id"]);
    // No audience, nothing to pause, invalid times.
    assert_eq!(
        script.call(Method::POST, &path("send"), "", None).await.0,
        409
    );
    readers_at(&app, &newsletter, "example.org", 1).await;
    for act in ["pause", "resume", "cancel"] {
        assert_eq!(
            script.call(Method::POST, &path(act), "", None).await.0,
            409,
            "{act}"
        );
    }
    for at in [
        "",
        "soon",
        "2026-03-02",
        "2020-01-01T00:00",
        "2026-02-30T07:00",
    ] {
        assert_eq!(
            script
                .post(&path("schedule"), "", json!({ "at": at }))
                .await
                .0,
            422,
            "{at}"
        );
    }
    let zone = json!({ "at": "2026-03-04T07:00", "time_zone": "Mars/Base" });
    assert_eq!(script.post(&path("schedule"), "", zone).await.0, 422);
    let (_, empty) = script
        .post(
            "/issues",
            "",
            json!({ "newsletter": "brief", "subject": "", "body": "" }),
        )
        .await;
    let (status, problem) = script
        .call(
            Method::POST,
            &format!("/issues/{}/send", empty["id"]),
            "",
            None,
        )
        .await;
    assert_eq!(
        (status.as_u16(), problem["type"].as_str()),
        (422, Some("canvass:cannot-be-sent"))
    );
    for id in ["0", "-1", "x", "99999999999999999999"] {
        assert_eq!(
            script
                .call(Method::GET, &format!("/issues/{id}"), "", None)
                .await
                .0,
            404
        );
        for act in ["send", "pause", "resume", "cancel", "resend"] {
            assert_eq!(
                script
                    .call(Method::POST, &format!("/issues/{id}/{act}"), "", None)
                    .await
                    .0,
                404
            );
        }
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM mailing").await, 0);
}

#[tokio::test]
async fn issues_of_one_subject_sent_at_one_moment_have_names_of_their_own() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("brief").await;
    readers_at(&app, &newsletter, "example.org", 1).await;
    let script = Script::at(&app).await;
    let mut paths = Vec::new();
    for _ in 0..4 {
        let (_, made) = script.post("/issues", "", issue()).await;
        paths.push(format!("/issues/{}/send", made["id"]));
    }
    let send = |path: usize, key: &'static str| script.call(Method::POST, &paths[path], key, None);
    let (a, b, c, d) = tokio::join!(send(0, "a"), send(1, "b"), send(2, ""), send(3, ""));
    for (status, told) in [a, b, c, d] {
        assert_eq!(status, 202, "{told}");
    }
    let names = "SELECT COUNT(DISTINCT slug) FROM issue WHERE state = 3";
    assert_eq!(app.count(names).await, 4);
}
