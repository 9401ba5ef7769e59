//! Random samples for scripts: the list, and a single one, without any of their readers.

use serde_json::{Value, json};

use crate::polls_sample::{draw, drawn, newsroom};
use crate::support::app::TestApp;
use crate::support::dump::Dump;

async fn get(app: &TestApp, token: &str, path: &str) -> (u16, Value) {
    let request = reqwest::Client::new().get(app.url(path)).bearer_auth(token);
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_sample_a_script_sees_how_it_was_drawn_and_what_came_back() {
    let (app, editor) = newsroom(90).await;
    let token = app.api_token().await;
    let none = get(&app, &token, "/api/v1/samples").await;
    assert_eq!(none, (200, json!({ "samples": [], "next": null })));
    let open = "/api/v1/polls/trust/sample";
    assert_eq!(get(&app, &token, open).await.0, 404, "there is none yet");

    draw(&editor, "trust", 60).await.expect(200);
    let before = Dump::of(&app.app.db).await;
    let (status, view) = get(&app, &token, "/api/v1/polls/trust-sample/sample").await;
    assert_eq!(status, 200, "{view}");
    // By the slug of the open poll beside it as well.
    assert_eq!(get(&app, &token, open).await, (200, view.clone()));
    for (field, wanted) in [
        ("poll", json!("trust-sample")),
        ("beside", json!("trust")),
        ("newsletter", json!("morning")),
        ("drawn_at", json!("2026-03-02T09:00:00.000Z")),
        ("seed", json!("lottery")),
        ("as_drawn", json!(null)),
        ("mails", json!([])),
    ] {
        assert_eq!(view[field], wanted, "{field} of {view}");
    }
    assert_eq!(view["frame_sha256"].as_str().unwrap().len(), 64);
    let numbers = &view["numbers"];
    for (field, wanted) in [("population", 90), ("drawn", 60), ("answered", 0)] {
        assert_eq!(numbers[field], json!(wanted), "{field} of {numbers}");
    }
    assert!(
        numbers["margin"].is_null(),
        "no margin under thirty answers"
    );
    let checked = get(&app, &token, &format!("{open}?check=true")).await.1;
    assert_eq!(checked["as_drawn"], json!(true));

    let (status, list) = get(&app, &token, "/api/v1/samples").await;
    let one = json!({
        "poll": "trust-sample", "beside": "trust", "newsletter": "morning",
        "population": 90, "drawn": 60, "drawn_at": "2026-03-02T09:00:00.000Z",
    });
    assert_eq!(
        (status, list),
        (200, json!({ "samples": [one], "next": null }))
    );
    // Nobody is named, neither by address nor by id.
    let told = format!("{view}{checked}");
    for (_, address) in drawn(&app, "trust-sample").await {
        assert!(!told.contains(&address), "{address}");
    }
    assert!(!told.contains("readers\""), "{told}");
    let after = Dump::of(&app.app.db).await;
    let tokens = ["api_token"];
    assert_eq!(before.differences(&after, &tokens), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_sample_the_mails_to_it_are_named_by_their_issues() {
    let (app, editor) = newsroom(40).await;
    let token = app.api_token().await;
    draw(&editor, "trust", 30).await.expect(200);
    let path = "/admin/polls/trust-sample/sample";
    let page = editor.get(path).await.expect(200);
    let draft = editor
        .submit(page.form("form[action$='/sample/mail']"))
        .await
        .expect(200);
    let issue: i64 = draft
        .url
        .path()
        .rsplit('/')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let api = "/api/v1/polls/trust-sample/sample";
    let mails = |view: Value| view["mails"][0].clone();
    let written = mails(get(&app, &token, api).await.1);
    assert_eq!(
        written,
        json!({ "round": "invitation", "issue": issue, "state": "draft", "handed_at": null, "sent": null })
    );
    let page = editor.get(&format!("{}/send", draft.url.path())).await;
    editor.submit(page.form("form[action$='/send']")).await;
    let finished = "SELECT COUNT(*) FROM mailing WHERE state = 4";
    app.wait_until(finished, 1).await;
    let sent = mails(get(&app, &token, api).await.1);
    assert_eq!(
        (&sent["state"], &sent["sent"]),
        (&json!("finished"), &json!(30))
    );
    assert_eq!(sent["handed_at"], json!("2026-03-02T09:00:00.000Z"));
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_sample_the_list_goes_on_page_by_page() {
    let (app, editor) = newsroom(35).await;
    let token = app.api_token().await;
    for n in 0..102 {
        let slug = format!("poll-{n:03}");
        app.poll(&slug).await;
        draw(&editor, &slug, 30).await.expect(200);
    }
    let mut seen = Vec::new();
    let mut path = "/api/v1/samples".to_owned();
    loop {
        let (status, page) = get(&app, &token, &path).await;
        assert_eq!(status, 200, "{page}");
        let samples = page["samples"].as_array().unwrap();
        assert!(samples.len() <= 100);
        seen.extend(
            samples
                .iter()
                .map(|s| s["beside"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => path = format!("/api/v1/samples?after={next}"),
            None => break,
        }
    }
    let wanted: Vec<String> = (0..102).rev().map(|n| format!("poll-{n:03}")).collect();
    assert_eq!(seen, wanted, "the newest first, each once");
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_sample_scripts_are_asked_for_a_token_and_told_what_is_wrong() {
    let (app, _) = newsroom(0).await;
    let token = app.api_token().await;
    for path in ["/api/v1/samples", "/api/v1/polls/trust/sample"] {
        assert_eq!(get(&app, "cvs_nobody", path).await.0, 401, "{path}");
    }
    for (path, status) in [
        ("/api/v1/samples?after=nothing", 422),
        ("/api/v1/samples?after=trust", 422),
        ("/api/v1/samples?after=%00", 422),
        ("/api/v1/polls/nothing/sample", 404),
        ("/api/v1/polls/trust/sample", 404),
        ("/api/v1/polls/trust/sample?check=maybe", 400),
    ] {
        let (got, problem) = get(&app, &token, path).await;
        assert_eq!(got, status, "{path}: {problem}");
        assert_eq!(problem["status"], json!(status), "{path}");
    }
}
