//! Exporting a poll, and the final results.

use std::time::Duration;

use canvass::polls::{Place, QuestionText, Voter, answer};
use canvass::types::ReaderId;
use serde_json::Value;

use crate::support::app::{START, TestApp};
use crate::support::editor::signed_in;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn polls_an_export_is_counts_and_leads_to_nobody() {
    let app = TestApp::start().await;
    app.poll_with("trust", |d| {
        d.questions[0].options[1] = "=HYPERLINK(\"https://evil.example\")".into();
        d.questions.push(QuestionText {
            text: "Where do you live?".to_owned(),
            options: ["Harbour", "Hill"].map(Into::into).to_vec(),
            ..d.questions[0].clone()
        });
    })
    .await;
    for (first, second, n) in [
        ("1", "4", 12),
        ("2", "4", 15),
        ("1", "5", 3),
        ("2", "5", 14),
    ] {
        for _ in 0..n {
            let fields = [("option.1", first), ("option.2", second)];
            app.reader().post("/p/trust", &fields).await.expect(200);
        }
    }
    let editor = signed_in(&app).await;
    let page = editor.get("/admin/polls/trust/export").await.expect(200);
    let files = page.attributes("tbody th a", "href");
    assert_eq!(files.len(), 13);
    for file in &files {
        let taken = editor.get(file).await.expect(200);
        let said = taken.headers["content-disposition"].to_str().unwrap();
        assert!(said.starts_with("attachment; filename=\"trust-"), "{said}");
    }
    let results = editor.get("/admin/polls/trust/export/results.csv").await;
    let mut lines = results.body.lines();
    assert_eq!(
        lines.next(),
        Some("\u{feff}question_key,question,kind,option_key,option,tier,answers")
    );
    assert!(lines.next().unwrap().ends_with("single,1,Yes,anonymous,15"));
    assert!(results.body.contains("\"'=HYPERLINK("), "{}", results.body);

    // The same for scripts. The three readers on the hill are hidden, with the cells from which they could be derived.
    let token = app.api_token().await;
    let url = app.url("/api/v1/polls/trust/export/poll.json");
    let request = reqwest::Client::new().get(&url).bearer_auth(&token);
    let document: Value = request.send().await.unwrap().json().await.unwrap();
    let cells = document["tables"].as_array().unwrap();
    assert_eq!(cells.len(), 4);
    assert!(
        cells.iter().all(|cell| cell["answers"].is_null()),
        "{cells:?}"
    );
    let hours: i64 = list(&document, "turnout")
        .iter()
        .filter_map(|h| h["answers"].as_i64())
        .sum();
    assert_eq!(hours, 44);

    let meanings = list(&document, "dictionary").iter();
    for meaning in meanings.map(|entry| entry["meaning"].as_str().unwrap()) {
        assert!(!meaning.contains('\''), "a straight apostrophe: {meaning}");
    }
    // Every field is in the dictionary, and no other field exists.
    for (name, rows) in document.as_object().unwrap() {
        let Some(Value::Object(row)) = rows.as_array().and_then(|rows| rows.first()) else {
            continue;
        };
        if name == "dictionary" {
            continue;
        }
        let meant = |field: &str| {
            list(&document, "dictionary")
                .iter()
                .any(|e| e["file"] == name.as_str() && e["field"] == field)
        };
        for field in row.keys() {
            assert!(meant(field), "{name}.{field} is not in the dictionary");
            for word in [
                "reader_id",
                "voter",
                "key_",
                "network",
                "email",
                "cast",
                "changed",
            ] {
                assert!(!field.contains(word), "{field}");
            }
        }
    }
    editor
        .get("/admin/polls/trust/export/ballots.csv")
        .await
        .expect(404);
    assert_eq!(reqwest::get(&url).await.unwrap().status(), 401);
}

/// If one reader is signed in, the numbers of that tier are her ballot.
#[tokio::test]
async fn polls_an_export_does_not_tell_the_answer_of_the_only_one_of_a_tier() {
    let app = TestApp::start().await;
    let poll = app.poll("trust").await;
    for (option, n) in [("1", 30), ("2", 12)] {
        for _ in 0..n {
            let answer = app.reader().post("/p/trust", &[("option", option)]).await;
            answer.expect(200);
        }
    }
    let cast = async |reader: i64, option: &str| {
        let poll = canvass::polls::by_id(&app.app.db, poll).await.unwrap();
        let sent = canvass::polls::Sent::options([option]);
        let voter = Voter::SignedIn(ReaderId(reader));
        let place = Place::PollPage;
        answer(
            &app.app.polls,
            poll.unwrap().into(),
            &sent,
            &voter,
            place,
            None,
        )
        .await
        .unwrap();
    };
    cast(1, "2").await;
    let editor = signed_in(&app).await;
    let numbers = async || -> Vec<String> {
        let file = "/admin/polls/trust/export/results.csv";
        let file = editor.get(file).await.expect(200);
        let lines = file.body.lines().skip(1);
        lines
            .map(|line| line.rsplit_once("single,").unwrap().1.to_owned())
            .collect()
    };
    let hidden = numbers().await;
    assert_eq!(hidden.len(), 12);
    for line in &hidden {
        // Two tiers have voters; nothing about their answers is revealed beyond the result.
        let is_told = line.contains("worked,0") || line.contains("subscriber,0");
        let is_nobodys = line.contains("Unsure") && line.ends_with(",0");
        assert!(is_told || is_nobodys || line.ends_with(','), "{line}");
    }
    // With enough readers, they are a group like any other.
    for reader in 2..32 {
        cast(reader, if reader % 2 == 0 { "1" } else { "2" }).await;
    }
    let told = numbers().await;
    for line in ["1,Yes,anonymous,30", "2,No,signed_in,16"] {
        assert!(told.iter().any(|told| told == line), "{line}: {told:?}");
    }
}

fn list<'a>(document: &'a Value, name: &str) -> &'a [Value] {
    document[name].as_array().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_live_results_end_with_the_poll() {
    let app = TestApp::start().await;
    app.poll_with("trust", |d| d.closes_at = Some(START + 60 * SECOND))
        .await;
    let client = reqwest::Client::new();
    let live = || client.get(app.url("/p/trust/live")).send();
    let mut stream = live().await.unwrap();
    assert_eq!(stream.status(), 200);
    app.reader()
        .post("/p/trust", &[("option", "1")])
        .await
        .expect(200);
    app.advance(60 * SECOND);
    let mut seen = String::new();
    while let Some(chunk) = tokio::time::timeout(20 * SECOND, stream.chunk())
        .await
        .expect("the stream ends")
        .unwrap()
    {
        seen.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(
        seen.contains("\"voters\":1"),
        "the last answer was told: {seen}"
    );
    assert_eq!(
        live().await.unwrap().status(),
        204,
        "browsers do not come back"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_live_results_end_when_an_editor_hides_them() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    let editor = signed_in(&app).await;
    let client = reqwest::Client::new();
    let mut stream = client.get(app.url("/p/trust/live")).send().await.unwrap();
    assert!(stream.chunk().await.unwrap().is_some());
    let edit = editor.get("/admin/polls/trust/edit").await.expect(200);
    let form = edit.form("main form.form").choose("visibility", "never");
    editor.submit(form).await.expect(200);
    app.reader()
        .post("/p/trust", &[("option", "1")])
        .await
        .expect(200);
    let mut seen = String::new();
    while let Some(chunk) = tokio::time::timeout(20 * SECOND, stream.chunk())
        .await
        .expect("the stream ends")
        .unwrap()
    {
        seen.push_str(&String::from_utf8_lossy(&chunk));
    }
    assert!(
        !seen.contains("\"voters\":1"),
        "told what is hidden: {seen}"
    );
}

/// The numbers of a file agree with each other, whatever is answered while it is made.
#[tokio::test(flavor = "multi_thread")]
async fn polls_an_export_is_of_one_moment() {
    let app = std::sync::Arc::new(TestApp::start().await);
    app.poll("trust").await;
    let token = app.api_token().await;
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let voting = {
        let (app, done) = (app.clone(), done.clone());
        tokio::spawn(async move {
            let mut n = 0;
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                let page = app.reader().post("/p/trust", &[("option", "1")]).await;
                page.expect(200);
                n += 1;
            }
            n
        })
    };
    let url = app.url("/api/v1/polls/trust/export/poll.json");
    for _ in 0..60 {
        let request = reqwest::Client::new().get(&url).bearer_auth(&token);
        let document: Value = request.send().await.unwrap().json().await.unwrap();
        let sum = |file: &str, field: &str| -> i64 {
            let rows = list(&document, file).iter();
            rows.filter_map(|row| row[field].as_i64()).sum()
        };
        assert_eq!(sum("voters", "readers"), sum("turnout", "answers"));
        assert_eq!(sum("voters", "readers"), sum("places", "answers"));
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(voting.await.unwrap() > 5);
}
