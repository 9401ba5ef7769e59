//! Issues through the JSON API while they are sent: pausing, resuming, and ordering resends.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use canvass::config::{InDoubt, Transport};
use canvass::types::{IssueId, Secret};

use crate::digests_api::{Script, issue};
use crate::support::app::TestApp;
use crate::support::issues::{at_rest, readers_at};
use crate::support::smtp_server::{Act, At, SmtpServer};
use crate::support::wait::PATIENCE;

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

/// The promise of *pause*: at most one more mail per connection, within 2 s; and of *resume*: exactly the rest.
#[tokio::test]
async fn after_a_pause_at_most_one_mail_a_connection_leaves() {
    let server = SmtpServer::start().await;
    server.rule(At::Dot, "", Act::Wait(Duration::from_millis(30)), None);
    let app = app_at(&server, 5).await;
    let newsletter = app.newsletter("brief").await;
    readers_at(&app, &newsletter, "example.org", 400).await;
    let other = app.newsletter("other").await;
    readers_at(&app, &other, "example.com", 1).await;
    let meanwhile = json!({ "newsletter": "other", "subject": "Meanwhile", "body": "x" });
    let to_ours = || {
        let mut mails = server.received();
        mails.retain(|mail| mail.to.contains("@example.org"));
        mails
    };
    let sent = || to_ours().len();
    let script = Script::at(&app).await;
    let (_, made) = script.post("/issues", "", issue()).await;
    let path = |act: &str| format!("/issues/{}/{act}", made["id"]);
    script.call(Method::POST, &path("send"), "", None).await;
    let mut quickest = Duration::MAX;
    for round in 1..=3 {
        server.wait_for(40 * round, PATIENCE).await;
        let pause = format!("pause {round}");
        let (status, told) = script
            .call(Method::POST, &path("pause"), &pause, None)
            .await;
        let (at_pause, paused) = (sent(), Instant::now());
        assert_eq!((status.as_u16(), &told["state"]), (200, &json!("paused")));
        at_rest(&app, IssueId(made["id"].as_i64().unwrap())).await;
        let stopped = sent();
        quickest = quickest.min(paused.elapsed());
        assert!(
            stopped <= at_pause + 5,
            "{at_pause} at the pause, {stopped} when no lane had any of it"
        );
        // The lanes are working: they send another issue, and nothing of this one.
        let (_, another) = script.post("/issues", "", meanwhile.clone()).await;
        let send = format!("/issues/{}/send", another["id"]);
        script.call(Method::POST, &send, "", None).await;
        script.until(&another["id"], "finished").await;
        assert_eq!(sent(), stopped, "and then none at all");
        let held = script.status(&made["id"]).await;
        assert_eq!(held["counts"]["sent"], json!(stopped));
        let (status, _) = script.call(Method::POST, &path("resume"), "", None).await;
        assert_eq!(status, 200);
        // The response to the first request is returned again, and nothing is done twice.
        let (status, again) = script
            .call(Method::POST, &path("pause"), &pause, None)
            .await;
        assert_eq!((status.as_u16(), &again), (200, &told));
        assert_eq!(script.status(&made["id"]).await["state"], "sending");
    }
    // Other programs of the machine may delay one or two of them.
    assert!(quickest < Duration::from_secs(2), "only after {quickest:?}");
    let done = script.until(&made["id"], "finished").await;
    assert_eq!(done["counts"]["sent"], 400);
    let to: std::collections::BTreeSet<String> =
        to_ours().into_iter().map(|mail| mail.to).collect();
    assert_eq!((sent(), to.len()), (400, 400), "exactly the rest");
    // Refused orders leave no trace, so the key can still be used later.
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

/// Somebody on call pauses an issue: that has to work before the first mail as well, and may be done twice.
#[tokio::test]
async fn a_pause_before_the_first_mail_holds_the_issue() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("brief").await;
    readers_at(&app, &newsletter, "example.org", 3).await;
    let script = Script::at(&app).await;
    let (_, made) = script.post("/issues", "", issue()).await;
    let id = &made["id"];
    let path = |act: &str| format!("/issues/{id}/{act}");
    let order = async |act: &str| script.call(Method::POST, &path(act), "", None).await;
    for act in ["pause", "resume", "cancel"] {
        let (status, told) = order(act).await;
        assert_eq!(status, 409, "{act}: {told}");
        assert!(told["detail"].as_str().unwrap().contains("draft"), "{told}");
    }
    let send = async |undo: u32| {
        let order = json!({ "undo_seconds": undo });
        script.post(&path("send"), "", order).await
    };
    let (status, told) = send(3_601).await;
    assert_eq!(
        (status.as_u16(), &told["errors"][0]["field"]),
        (422, &json!("undo_seconds"))
    );
    let (status, told) = send(3_600).await;
    assert_eq!(
        (status.as_u16(), &told["state"]),
        (202, &json!("scheduled"))
    );

    for _ in 0..2 {
        let (status, told) = order("pause").await;
        assert_eq!((status.as_u16(), &told["state"]), (200, &json!("held")));
        let why = told["reason"].as_str().unwrap();
        assert!(why.contains("paused by the API token “test”"), "{why}");
    }
    app.advance(Duration::from_secs(2 * 3_600));
    canvass::digests::tick(&app.app).await.unwrap();
    assert_eq!(script.status(id).await["state"], "held");
    assert_eq!(app.count("SELECT COUNT(*) FROM mailing").await, 0);
    let (status, told) = order("resume").await;
    assert_eq!(status, 409);
    assert!(
        told["detail"].as_str().unwrap().contains("Send it"),
        "{told}"
    );

    let (status, told) = send(0).await;
    assert_eq!((status.as_u16(), &told["state"]), (202, &json!("sending")));
    let done = script.until(id, "finished").await;
    assert_eq!(done["counts"]["sent"], 3, "the pause cost nobody the issue");
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
    readers_at(&app, &newsletter, "example.org", 10).await;
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

    // It read the status when only one was in doubt.
    let stale = json!({ "how": "accept", "expected": 1 });
    let (status, told) = script.post(&path("settle"), "", stale).await;
    assert_eq!(status, 409, "{told}");
    assert_eq!(script.status(&made["id"]).await["counts"]["unknown"], 2);
    let one = json!({ "how": "accept", "emails": ["R4@Example.org"], "expected": 1 });
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
