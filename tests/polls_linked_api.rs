//! Linked answers for scripts: the same rules as for editors, and the same record of exports.

use canvass::types::ReaderId;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::polls_linked::{WORDS, links};
use crate::polls_linked_segments::{answer, inboxes, newsroom, readers};
use crate::support::app::TestApp;
use crate::support::dump::Dump;

const LINKED: &str = "/api/v1/polls/trust/linked";

struct Script<'a> {
    app: &'a TestApp,
    token: String,
}

impl Script<'_> {
    async fn get(&self, path: &str) -> (u16, Value) {
        let request = reqwest::Client::new().get(self.app.url(path));
        let answer = request.bearer_auth(&self.token).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json().await.unwrap())
    }

    async fn post(&self, path: &str, body: Value) -> reqwest::Response {
        let request = reqwest::Client::new().post(self.app.url(path)).json(&body);
        let request = request.header("idempotency-key", body.to_string());
        request.bearer_auth(&self.token).send().await.unwrap()
    }

    async fn issue(&self, segment: Value) -> (u16, Value) {
        let issue = json!({
            "newsletter": "morning", "subject": "About your answer", "body": "Thank you.", "segment": segment,
        });
        let answer = self.post("/api/v1/issues", issue).await;
        (answer.status().as_u16(), answer.json().await.unwrap())
    }
}

/// Twelve "Yes" and three "No" with consent, two "Yes" without.
async fn answered(app: &TestApp, poll: canvass::types::PollId) -> Vec<(ReaderId, String)> {
    let all = readers(app).await;
    for (at, (reader, _)) in all.iter().enumerate() {
        let (option, agreed) = match at {
            0..12 => (1, true),
            12..15 => (2, true),
            _ => (1, false),
        };
        answer(app, poll, *reader, option, agreed).await;
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_linked_a_script_counts_and_takes_out_what_editors_may() {
    let (app, poll, editor) = newsroom(17).await;
    app.poll("secret").await;
    let all = answered(&app, poll).await;
    let script = Script {
        token: app.api_token().await,
        app: &app,
    };
    let (status, view) = script.get(LINKED).await;
    assert_eq!((status, &view["words"]), (200, &json!(WORDS)), "{view}");
    assert_eq!(
        (&view["linked"], &view["answered"]),
        (&json!(15), &json!(17))
    );
    let linked: Vec<i64> = view["questions"][0]["options"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|option| option["linked"].as_i64())
        .collect();
    assert_eq!((linked, &view["exports"]), (vec![12, 3, 0], &json!([])));

    // Without a token, for a secret poll, or in an unknown format there is no file, and nothing is recorded.
    let export = format!("{LINKED}/export");
    let nobody = Script {
        token: "cvs_nobody".to_owned(),
        app: &app,
    };
    let csv = || json!({ "format": "csv" });
    assert_eq!(nobody.get(LINKED).await.0, 401);
    assert_eq!(nobody.post(&export, csv()).await.status(), 401);
    let secret = "/api/v1/polls/secret/linked";
    assert_eq!(script.get(secret).await.0, 404);
    let taken = script.post(&format!("{secret}/export"), csv()).await;
    assert_eq!(taken.status(), 404);
    let odd = script.post(&export, json!({ "format": "xlsx" })).await;
    assert_eq!(odd.status(), 422);
    assert_eq!(script.get(&export).await.0, 405);
    assert_eq!(app.count("SELECT COUNT(*) FROM link_export").await, 0);

    let file = script.post(&export, csv()).await;
    assert_eq!(file.status(), 200);
    assert_eq!(file.headers()[CONTENT_TYPE], "text/csv; charset=utf-8");
    assert_eq!(file.headers()["cache-control"], "no-store");
    let file = file.text().await.unwrap();
    assert_eq!(file.lines().count(), 16);
    for (at, (_, email)) in all.iter().enumerate() {
        assert_eq!(file.contains(&format!("{email},")), at < 15, "{email}");
    }
    // Repeating it with the same key is another export, not a stored response, which would outlive the consents in it.
    let again = script.post(&export, csv()).await.text().await.unwrap();
    assert_eq!(again, file);
    let dump = Dump::of(&app.app.db).await;
    assert_eq!(dump.rows("idempotency"), 0);
    let (_, view) = script.get(LINKED).await;
    assert_eq!(view["exports"].as_array().map(Vec::len), Some(2));
    assert_eq!(view["exports"][0]["readers"], 15);
    let who = view["exports"][0]["who"].as_str().unwrap();
    assert!(who.starts_with("Script “"), "{who}");
    // Editors see it among their own exports.
    let page = editor.get("/admin/polls/trust/linked").await.expect(200);
    let form = page
        .form("form[action$='/export']")
        .button("format", "json");
    editor.submit(form).await.expect(200);
    let page = editor.get("/admin/polls/trust/linked").await.expect(200);
    let taken = page.all("#taken ~ div tbody tr");
    assert_eq!(taken.len(), 3);
    assert!(
        taken[0].contains("Mara") && taken[1].contains(who),
        "{taken:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_linked_a_script_writes_to_those_who_agreed_and_answered_so() {
    let (app, poll, _) = newsroom(17).await;
    app.poll("secret").await;
    let all = answered(&app, poll).await;
    let script = Script {
        token: app.api_token().await,
        app: &app,
    };
    for (segment, field, said) in [
        (
            json!({ "poll": "trust", "options": [2] }),
            "segment.options",
            "chosen by 3 readers",
        ),
        (
            json!({ "poll": "trust", "options": [] }),
            "segment.options",
            "at least one",
        ),
        (
            json!({ "poll": "trust", "options": [1, 9] }),
            "segment.options",
            "no option 9",
        ),
        (
            json!({ "poll": "secret", "options": [1] }),
            "segment.poll",
            "No linked poll",
        ),
        (
            json!({ "poll": "none", "options": [1] }),
            "segment.poll",
            "No linked poll",
        ),
    ] {
        let (status, problem) = script.issue(segment).await;
        let text = problem.to_string();
        assert_eq!(status, 422, "{text}");
        assert!(text.contains(field) && text.contains(said), "{text}");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM issue").await, 0);

    let segment = json!({ "poll": "trust", "options": [1] });
    let (status, made) = script.issue(segment.clone()).await;
    assert_eq!(status, 201, "{made}");
    // Repeating the request gives the same issue.
    assert_eq!(script.issue(segment).await, (201, made.clone()));
    assert_eq!(app.count("SELECT COUNT(*) FROM issue_segment").await, 1);
    let path = format!("/api/v1/issues/{}", made["id"]);
    let (_, status) = script.get(&path).await;
    let whom = status["segment"].as_str().unwrap();
    assert!(whom.starts_with("“Yes” to"), "{whom}");

    // Two readers withdraw their consent between writing and sending: they are left out, and with
    // one more there are too few.
    answer(&app, poll, all[0].0, 1, false).await;
    answer(&app, poll, all[1].0, 1, false).await;
    answer(&app, poll, all[2].0, 2, true).await;
    let send = format!("{path}/send");
    let few = script.post(&send, json!({})).await;
    assert_eq!(few.status(), 409);
    let few = few.text().await.unwrap();
    assert!(few.contains("Fewer than ten"), "{few}");
    answer(&app, poll, all[2].0, 1, true).await;
    let sent = script.post(&send, json!({ "undo_seconds": 0 })).await;
    assert_eq!(sent.status(), 202, "{}", sent.text().await.unwrap());
    app.wait_until("SELECT COUNT(*) FROM mailing WHERE state = 4", 1)
        .await;
    let mut meant: Vec<String> = all[2..12].iter().map(|(_, email)| email.clone()).collect();
    meant.sort();
    assert_eq!(inboxes(&app).await, meant);
    links(&app).await;
}
