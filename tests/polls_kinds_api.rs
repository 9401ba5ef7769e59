//! Kinds of questions in the API, in the embed, and from a mail.

use serde_json::{Value, json};

use super::support::app::TestApp;

struct Script {
    token: String,
    app: TestApp,
}

impl Script {
    async fn start() -> Self {
        let app = TestApp::start().await;
        Self {
            token: app.api_token().await,
            app,
        }
    }

    async fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let sent = reqwest::Client::new()
            .post(self.app.url(path))
            .bearer_auth(&self.token)
            .json(body)
            .send()
            .await
            .unwrap();
        (sent.status().as_u16(), sent.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        let sent = reqwest::Client::new()
            .get(self.app.url(path))
            .bearer_auth(&self.token)
            .send()
            .await
            .unwrap();
        assert_eq!(sent.status(), 200);
        sent.json().await.unwrap()
    }
}

fn every_kind() -> Value {
    json!({
        "slug": "all",
        "questions": [
            {"question": "Which party?", "options": ["A", {"label": "B", "picture": "/media/b.jpg", "alt": "A bee"}],
             "other": "Another", "none": "None", "order": "random"},
            {"question": "How good?", "kind": "rating", "scale": {"from": 1, "to": 5, "low": "bad", "high": "good"}},
            {"question": "Where?", "kind": "ranked", "options": ["Memphis", "Nashville", "Knoxville"], "optional": true},
        ],
    })
}

/// The keys of a rating start at 1; its points need not.
#[tokio::test]
async fn a_point_of_a_rating_is_what_a_script_calls_it() {
    let script = Script::start().await;
    let rating = |slug: &str, more: Value| {
        let scale = json!({"from": 0, "to": 10});
        let one = json!({"question": "How likely?", "kind": "rating", "scale": scale});
        let mut questions = vec![one];
        questions.extend(more.as_array().cloned().unwrap_or_default());
        json!({"slug": slug, "questions": questions})
    };
    let (status, made) = script
        .post("/api/v1/polls", &rating("nps", json!([])))
        .await;
    assert_eq!(status, 201, "{made}");
    for (named, label) in [
        (json!("10"), "10"),
        (json!("3"), "3"),
        (json!("0"), "0"),
        // A number is a key, as listed in the poll's description.
        (json!(1), "0"),
        (json!(11), "10"),
    ] {
        let ballot = json!({"option": named, "voter": "one"});
        let (status, cast) = script.post("/api/v1/polls/nps/ballots", &ballot).await;
        assert!(status < 300, "{named}: {cast}");
        assert_eq!(cast["labels"], json!([label]), "{named}");
    }
    let again = json!([{"question": "How well?", "kind": "rating", "scale": {"from": 1, "to": 5}}]);
    let (status, made) = script.post("/api/v1/polls", &rating("two", again)).await;
    assert_eq!(status, 201, "{made}");
    let ballot = json!({"option": ["3", 13]});
    let (status, refused) = script.post("/api/v1/polls/two/ballots", &ballot).await;
    assert_eq!(status, 422, "{refused}");
    assert!(refused.to_string().contains("several options"), "{refused}");
    let ballot = json!({"option": [4, 14]});
    let (status, cast) = script.post("/api/v1/polls/two/ballots", &ballot).await;
    assert_eq!(
        (status, &cast["labels"]),
        (201, &json!(["3", "3"])),
        "{cast}"
    );
}

#[tokio::test]
async fn every_kind_is_made_answered_and_read_by_scripts() {
    let script = Script::start().await;
    let (status, made) = script.post("/api/v1/polls", &every_kind()).await;
    assert_eq!(status, 201, "{made}");
    let kinds: Vec<&str> = made["questions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|q| q["kind"].as_str())
        .collect();
    assert_eq!(kinds, ["single", "rating", "ranked"]);
    assert_eq!(made["questions"][1]["options"][4]["label"], "5");

    // Keys run through the whole poll: 1 to 4, then the points, then the places.
    let ballot = json!({"option": [5, "Another", "Knoxville", "Memphis"], "words": {"3": "The  Bees"}, "voter": "ada"});
    let (status, cast) = script.post("/api/v1/polls/all/ballots", &ballot).await;
    assert_eq!(
        (status, &cast["labels"]),
        (201, &json!(["Another", "1", "Knoxville", "Memphis"])),
        "{cast}"
    );
    let (status, again) = script.post("/api/v1/polls/all/ballots", &ballot).await;
    assert_eq!((status, again), (200, cast));
    let results = script.get("/api/v1/polls/all/results").await;
    let ranked = &results["questions"][2];
    assert_eq!(ranked["kind"], "ranked");
    assert_eq!(ranked["runoff"]["winners"], json!([12]));
    assert_eq!(
        ranked["runoff"]["rounds"][0]["counts"][2],
        json!({"key": 12, "votes": 1})
    );
    assert_eq!(ranked["summary"], Value::Null, "one ballot has no rounds");
    assert_eq!(
        results["questions"][0]["rows"][2]["words"],
        Value::Null,
        "nothing shows before an editor looked"
    );
    assert!(!results.to_string().contains("Bees"));

    for wrong in [
        json!({"option": ["1", "2", "5"]}),
        json!({"option": ["1", "4", "5"]}),
        json!({"option": ["1", "5", "6"]}),
        json!({"option": ["1"]}),
        json!({"option": ["1", "5", "99"]}),
        json!({"option": ["1", "5"], "words": {"1": "x"}}),
        json!({"option": ["1", "5"], "words": {"3": "x"}}),
        json!({"option": ["5"], "words": {"3": "x".repeat(121)}}),
        json!({"option": ["5"], "words": {"3": "a\u{7}"}}),
    ] {
        let (status, said) = script.post("/api/v1/polls/all/ballots", &wrong).await;
        assert_eq!(status, 422, "{wrong}: {said}");
    }
    assert_eq!(script.app.count("SELECT COUNT(*) FROM ballot").await, 1);
}

#[tokio::test]
async fn what_is_no_question_is_refused_by_field() {
    let script = Script::start().await;
    for (question, field) in [
        (
            json!({"question": "x", "kind": "rating"}),
            "questions.1.scale",
        ),
        (
            json!({"question": "x", "kind": "rating", "scale": {"from": 5, "to": 1}}),
            "questions.1.scale",
        ),
        (
            json!({"question": "x", "kind": "ranked", "options": ["a"]}),
            "questions.1.options",
        ),
        (
            json!({"question": "x", "kind": "ranked", "options": ["a", "b"], "max_choices": 9}),
            "questions.1.max_choices",
        ),
        (
            json!({"question": "x", "kind": "ranked", "options": ["a", "b"], "other": "c"}),
            "questions.1.other",
        ),
        (
            json!({"question": "x", "options": ["a", {"label": "b", "picture": "https://evil.example/x.png", "alt": "b"}]}),
            "questions.1.pictures",
        ),
        (
            json!({"question": "x", "options": ["a", "b"], "none": "a"}),
            "questions.1.options",
        ),
    ] {
        let poll =
            json!({"slug": "x", "questions": [{"question": "y", "options": ["a", "b"]}, question]});
        let (status, said) = script.post("/api/v1/polls", &poll).await;
        assert_eq!(status, 422, "{question}");
        assert_eq!(said["errors"][0]["field"], field, "{said}");
    }
    for shape in [
        json!({"question": "x", "kind": "lottery", "options": ["a", "b"]}),
        json!({"question": "x", "kind": "rating", "scale": {"from": 1e300, "to": 5}}),
        json!({"question": "x", "options": [1, 2]}),
        json!({"question": "x", "options": [{"label": "a"}]}),
    ] {
        let poll = json!({"slug": "x", "questions": [shape]});
        let (status, _) = script.post("/api/v1/polls", &poll).await;
        assert!((400..500).contains(&status), "{poll}");
    }
    let many: Vec<Value> = (0..5)
        .map(|q| json!({"question": q.to_string(), "options": (0..50).map(|o| o.to_string()).collect::<Vec<_>>()}))
        .collect();
    let (status, said) = script
        .post("/api/v1/polls", &json!({"slug": "x", "questions": many}))
        .await;
    assert_eq!(
        (status, &said["errors"][0]["field"]),
        (422, &json!("options"))
    );
    assert_eq!(script.app.count("SELECT COUNT(*) FROM poll").await, 0);
}

#[tokio::test]
async fn what_a_module_cannot_draw_is_left_to_the_page() {
    let script = Script::start().await;
    script.post("/api/v1/polls", &every_kind()).await;
    let rating = json!({"slug": "rating", "question": "How good?", "kind": "rating", "scale": {"from": 1, "to": 3}});
    script.post("/api/v1/polls", &rating).await;
    assert_eq!(script.get("/embed/p/all/data").await["plain"], true);
    assert_eq!(script.get("/embed/p/rating/data").await["plain"], false);
    // An iframe contains the whole form.
    let page = script.app.reader().get("/embed/p/all").await.expect(200);
    assert_eq!(page.all("select.rank").len(), 3);
    assert_eq!(page.all(".scale-point").len(), 5);
    let form = page
        .form("form.poll")
        .choose("option.1", "1")
        .choose("option.2", "7")
        .choose("rank.10", "1");
    script
        .app
        .reader()
        .submit(form)
        .await
        .expect(200)
        .says("Your answer has been counted");
    assert_eq!(
        script
            .app
            .count("SELECT COUNT(*) FROM ballot WHERE source = 2")
            .await,
        1
    );
}
