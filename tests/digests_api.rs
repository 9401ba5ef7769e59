//! Issues through the JSON API: the contract that scripts rely on.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use canvass::config::{InDoubt, Transport};
use canvass::types::Secret;

use crate::support::app::TestApp;
use crate::support::smtp_server::{Act, At, SmtpServer};

struct Script {
    client: Client,
    base: String,
    token: String,
}

impl Script {
    async fn at(app: &TestApp) -> Self {
        Self {
            client: Client::builder().no_proxy().build().unwrap(),
            base: app.url("/api/v1"),
            token: app.api_token().await,
        }
    }

    async fn call(
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

    async fn post(&self, path: &str, key: &str, body: Value) -> (StatusCode, Value) {
        self.call(Method::POST, path, key, Some(body)).await
    }

    async fn status(&self, id: &Value) -> Value {
        let (status, told) = self
            .call(Method::GET, &format!("/issues/{id}"), "", None)
            .await;
        assert_eq!(status, 200);
        told
    }

    async fn until(&self, id: &Value, state: &str) -> Value {
        for _ in 0..400 {
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
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("not {state}: {}", self.status(id).await);
    }
}

async fn readers(app: &TestApp, newsletter: i64, count: i64) {
    let txn = app.app.db.write_txn("test").await.unwrap();
    for n in 1..=count {
        let email = format!("r{n}@example.org");
        let sql =
            "INSERT INTO reader (email_key, email, created_ms) VALUES ($1, $1, 0) RETURNING id";
        let row = canvass::db::fetch_one(&*txn, sql, [email.into()])
            .await
            .unwrap()
            .unwrap();
        let id: i64 = row.try_get_by_index(0).unwrap();
        let sql = "INSERT INTO subscription (newsletter_id, reader_id, state, confirmed_ms, changed_ms) VALUES ($1, $2, 1, 0, 0)";
        canvass::db::run(&*txn, sql, [newsletter.into(), id.into()])
            .await
            .unwrap();
    }
    txn.commit().await.unwrap();
}

fn issue() -> Value {
    json!({ "newsletter": "brief", "subject": "From a script", "body": "# Hello\n\n{{name|reader}}" })
}

#[tokio::test]
async fn create_send_watch() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("brief").await;
    readers(&app, newsletter.id.0, 12).await;
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

#[tokio::test]
async fn schedule_by_wall_time_or_instant_and_take_it_back() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("brief").await;
    readers(&app, newsletter.id.0, 1).await;
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
    // Nobody to send to, nothing to pause, times that are none.
    assert_eq!(
        script.call(Method::POST, &path("send"), "", None).await.0,
        409
    );
    readers(&app, newsletter.id.0, 1).await;
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

async fn app_at(server: &SmtpServer, connections: u32) -> TestApp {
    let url = server.url();
    TestApp::start_with(|config| {
        config.mail.transport = Transport::Smtp;
        config.mail.smtp_url = Secret::new(url);
        config.mail.connections = connections;
        config.mail.in_doubt = InDoubt::Hold;
    })
    .await
}

/// The promise of *pause*: at most one mail a connection after it, within 2 s; and of *resume*: exactly the rest.
#[tokio::test]
async fn after_a_pause_at_most_one_mail_a_connection_leaves() {
    let server = SmtpServer::start().await;
    server.rule(At::Dot, "", Act::Wait(Duration::from_millis(30)), None);
    let app = app_at(&server, 5).await;
    let newsletter = app.newsletter("brief").await;
    readers(&app, newsletter.id.0, 400).await;
    let script = Script::at(&app).await;
    let (_, made) = script.post("/issues", "", issue()).await;
    let path = |act: &str| format!("/issues/{}/{act}", made["id"]);
    script.call(Method::POST, &path("send"), "", None).await;
    for round in 1..=3 {
        server.wait_for(40 * round, Duration::from_secs(20)).await;
        let pause = format!("pause {round}");
        let (status, told) = script
            .call(Method::POST, &path("pause"), &pause, None)
            .await;
        let at_pause = server.count();
        assert_eq!((status.as_u16(), &told["state"]), (200, &json!("paused")));
        tokio::time::sleep(Duration::from_secs(2)).await;
        let after_two_seconds = server.count();
        assert!(
            after_two_seconds <= at_pause + 5,
            "{at_pause} at the pause, {after_two_seconds} two seconds later"
        );
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(server.count(), after_two_seconds, "and then none at all");
        let held = script.status(&made["id"]).await;
        assert_eq!(held["counts"]["sent"], json!(after_two_seconds));
        let (status, _) = script.call(Method::POST, &path("resume"), "", None).await;
        assert_eq!(status, 200);
        // The answer to the first request comes again, and nothing happens again.
        let (status, again) = script
            .call(Method::POST, &path("pause"), &pause, None)
            .await;
        assert_eq!((status.as_u16(), &again), (200, &told));
        assert_eq!(script.status(&made["id"]).await["state"], "sending");
    }
    let done = script.until(&made["id"], "finished").await;
    assert_eq!(done["counts"]["sent"], 400);
    let to: std::collections::BTreeSet<String> =
        server.received().into_iter().map(|mail| mail.to).collect();
    assert_eq!((server.count(), to.len()), (400, 400), "exactly the rest");
    // Refused orders leave no trace, so the key can be used when it is time.
    let (status, _) = script
        .call(Method::POST, &path("pause"), "late", None)
        .await;
    assert_eq!(status, 409);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM idempotency WHERE idempotency_key = 'late'")
            .await,
        0
    );
    let who = "SELECT COUNT(*) FROM mailing_order WHERE who LIKE '%test%' AND kind = 1";
    assert_eq!(app.count(who).await, 3, "who paused it is kept");
}

#[tokio::test]
async fn a_script_sends_again_to_those_that_failed_and_settles_those_in_doubt() {
    let server = SmtpServer::start().await;
    server.say(At::Dot, "r2@", "554 5.7.1 not from you");
    server.say(At::Rcpt, "r3@", "550 5.1.1 no such user");
    server.rule(At::Dot, "r4@", Act::Drop, Some(1));
    server.rule(At::Dot, "r5@", Act::Drop, Some(1));
    let app = app_at(&server, 3).await;
    let newsletter = app.newsletter("brief").await;
    readers(&app, newsletter.id.0, 10).await;
    let script = Script::at(&app).await;
    let (_, made) = script.post("/issues", "", issue()).await;
    let path = |act: &str| format!("/issues/{}/{act}", made["id"]);
    script.call(Method::POST, &path("send"), "", None).await;
    let done = script.until(&made["id"], "finished").await;
    assert_eq!(
        (&done["counts"]["failed"], &done["counts"]["unknown"]),
        (&json!(2), &json!(2))
    );
    server.forgive();

    for (act, body) in [
        ("resend", json!({ "reasons": [] })),
        ("resend", json!({ "reasons": ["left"] })),
        ("resend", json!({ "reason": "ours" })),
        ("settle", json!({})),
        ("settle", json!({ "how": "forget" })),
        ("settle", json!({ "how": "accept", "emails": [] })),
        ("settle", json!({ "how": "accept", "emails": ["nobody"] })),
    ] {
        let (status, told) = script.post(&path(act), "", body.clone()).await;
        assert_eq!(status, 422, "{act} {body}: {told}");
    }
    let (status, first) = script
        .call(Method::POST, &path("resend"), "again", None)
        .await;
    assert_eq!((status.as_u16(), &first["recipients"]), (202, &json!(1)));
    assert_eq!(first["state"], "sending");
    assert_eq!(first["counts"]["deferred"], 1, "{first}");
    let done = script.until(&made["id"], "finished").await;
    assert_eq!(done["counts"]["sent"], 7);
    let (status, again) = script
        .call(Method::POST, &path("resend"), "again", None)
        .await;
    assert_eq!((status.as_u16(), &again), (202, &first));
    assert_eq!(script.status(&made["id"]).await["state"], "finished");

    let one = json!({ "how": "accept", "emails": ["R4@Example.org"] });
    let (_, told) = script.post(&path("settle"), "one", one).await;
    assert_eq!(
        (&told["recipients"], &told["state"]),
        (&json!(1), &json!("finished"))
    );
    let rest = json!({ "how": "resend" });
    let (_, told) = script.post(&path("settle"), "rest", rest).await;
    assert_eq!(
        (&told["recipients"], &told["state"]),
        (&json!(1), &json!("sending"))
    );
    let done = script.until(&made["id"], "finished").await;
    assert_eq!(
        (&done["counts"]["sent"], &done["counts"]["unknown"]),
        (&json!(9), &json!(0))
    );
    let to_r5 = server
        .received()
        .into_iter()
        .filter(|m| m.to == "r5@example.org");
    let ids: Vec<String> = to_r5.map(|mail| mail.message_id).collect();
    assert_eq!((ids.len(), ids.first()), (2, ids.last()));
}
