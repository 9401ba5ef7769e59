//! Answering on the poll's own page, as a reader without JavaScript.

use std::time::Duration;

use canvass::polls::{Kind, QuestionText, Visibility};

use crate::support::app::TestApp;
use crate::support::page::Page;

#[tokio::test]
async fn polls_a_reader_answers_sees_the_result_and_changes_it() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    let reader = app.reader();
    let page = reader
        .get("/p/trust")
        .await
        .expect(200)
        .says("Do you trust the mainstream media?");
    assert!(
        page.headers.get("set-cookie").is_none(),
        "no cookie before a vote"
    );
    let result = reader
        .submit(page.the_form().choose("option", "1"))
        .await
        .expect(200);
    assert!(result.url.path().ends_with("/p/trust/results"));
    result
        .clone()
        .says("Your answer has been counted")
        .says("1 reader chose to answer, on 2 March 2026, on the poll’s page.");
    assert_eq!(result.all("tr.is-own .result-label"), ["Yes"]);

    let again = reader.follow(&result, "Change my answer").await.expect(200);
    assert_eq!(again.attributes("input[checked]", "value"), ["1"]);
    let again = again.says("You have already answered this poll.");
    let result = reader
        .submit(again.the_form().choose("option", "3"))
        .await
        .expect(200);
    assert_eq!(result.all("tr.is-own .result-label"), ["Unsure"]);
    assert_eq!(result.all(".result-count"), ["0", "0", "1"]);

    // Another reader, with a different browser.
    let other = app.reader();
    let page = other.get("/p/trust").await.expect(200);
    let result = other
        .submit(page.the_form().choose("option", "3"))
        .await
        .expect(200);
    assert_eq!(result.all(".result-count"), ["0", "0", "2"]);
    assert_eq!(result.all(".result-share"), ["", "", ""]);
    assert_eq!(
        result.attributes("[data-share]", "hidden").len(),
        4,
        "no percentages under 30"
    );
}

/// A reader who left out two questions is told about both, by name.
#[tokio::test]
async fn polls_all_that_is_missing_is_told_at_once() {
    let app = TestApp::start().await;
    app.poll_with("two", |poll| {
        let mut second = poll.questions[0].clone();
        second.text = "And the weather forecast?".to_owned();
        poll.questions.push(second);
    })
    .await;
    let reader = app.reader();
    let form = reader.get("/p/two").await.the_form();
    let page = reader.submit(form).await.expect(422);
    assert_eq!(
        page.all(".error-summary a"),
        [
            "“Do you trust the mainstream media?”: Choose an answer.",
            "“And the weather forecast?”: Choose an answer."
        ]
    );
    assert_eq!(page.attributes(".error-summary a", "href"), ["#o1", "#o4"]);
}

#[tokio::test]
async fn polls_a_page_kept_for_a_month_still_votes() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    let page = app.reader().get("/p/trust").await.expect(200);
    assert_eq!(
        page.headers["cache-control"],
        "public, max-age=0, s-maxage=60"
    );
    app.advance(Duration::from_secs(30 * 24 * 60 * 60));
    // Another reader gets the page from a cache.
    let reader = app.reader();
    reader
        .submit(page.the_form().choose("option", "2"))
        .await
        .expect(200)
        .says("Your answer has been counted");
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 1);
}

#[tokio::test]
async fn polls_looking_counts_nothing() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    let reader = app.reader();
    for path in ["/p/trust?option=1", "/p/trust/results?option=1"] {
        reader.get(path).await.expect(200);
        let head = reqwest::Client::new()
            .head(app.url(path))
            .send()
            .await
            .unwrap();
        assert_eq!(head.status().as_u16(), 200);
    }
    for table in ["ballot", "tally", "refusal", "poll_source"] {
        assert_eq!(
            app.count(&format!("SELECT COUNT(*) FROM {table}")).await,
            0,
            "{table}"
        );
    }
}

#[tokio::test]
async fn polls_results_show_when_the_editor_said() {
    let app = TestApp::start().await;
    app.poll_with("after", |d| d.visibility = Visibility::AfterVoting)
        .await;
    app.poll_with("never", |d| d.visibility = Visibility::Never)
        .await;
    let reader = app.reader();
    let hidden = reader
        .get("/p/after/results")
        .await
        .expect(200)
        .says("shown to readers who have answered");
    assert!(hidden.all("table").is_empty());
    reader.get("/p/after/live").await.expect(404);
    reader
        .post("/p/after", &[("option", "1")])
        .await
        .expect(200)
        .says("1 reader chose to answer");
    let page = reader
        .post("/p/never", &[("option", "1")])
        .await
        .expect(200)
        .says("are not public")
        .says("Your answer: Yes");
    assert!(page.all("table").is_empty());
}

#[tokio::test]
async fn polls_several_questions_in_one_form_are_answered_together() {
    let app = TestApp::start().await;
    app.poll_with("two", |d| {
        d.questions.push(QuestionText {
            text: "Which do you read?".into(),
            required: false,
            max_choices: 2,
            options: vec![
                "Papers".into(),
                "Sites".into(),
                "<b>Feeds</b> & \"more\"".into(),
            ],
            ..QuestionText::default()
        });
    })
    .await;
    let reader = app.reader();
    let page = reader
        .get("/p/two")
        .await
        .expect(200)
        .says("<b>Feeds</b> & \"more\"");
    let form = page
        .the_form()
        .choose("option.1", "2")
        .tick("option.2", "6");
    let result = reader.submit(form).await.expect(200);
    assert_eq!(
        result.all("tr.is-own .result-label"),
        ["No", "<b>Feeds</b> & \"more\""]
    );
}

#[tokio::test]
async fn polls_scripts_of_the_page_get_json() {
    let app = TestApp::start_with(|config| {
        config.http.embed_origins = vec!["https://blog.example".into()];
    })
    .await;
    app.poll("trust").await;
    let reader = app
        .reader()
        .with_header("accept", "application/json")
        .with_header("origin", "https://blog.example")
        .with_header("sec-fetch-site", "cross-site");
    let marker = "AAAAAAAAAAAAAAAAAAAAAA";
    let answer = reader
        .post(
            "/p/trust",
            &[("option", "2"), ("marker", marker), ("place", "embed")],
        )
        .await
        .expect(200);
    assert_eq!(
        answer.headers["access-control-allow-origin"],
        "https://blog.example"
    );
    let said: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(
        (said["counted"].as_bool(), &said["own"]),
        (Some(true), &serde_json::json!([2]))
    );
    assert_eq!(said["results"]["questions"][0]["rows"][1]["votes"], 1);
    let refused = reader
        .post("/p/trust", &[("marker", marker)])
        .await
        .expect(422);
    let said: serde_json::Value = serde_json::from_str(&refused.body).unwrap();
    assert_eq!(
        said["errors"],
        serde_json::json!([{ "field": "option", "message": "Choose an answer." }])
    );
}

/// What a question asks for is said with it, and so is what is wrong with the answer.
#[tokio::test]
async fn polls_hints_and_errors_belong_to_their_question() {
    let app = TestApp::start().await;
    app.poll_with("several", |poll| {
        let question = &mut poll.questions[0];
        (question.kind, question.max_choices) = (Kind::Several, 2);
    })
    .await;
    app.poll("trust").await;
    let reader = app.reader();
    for (slug, before, after) in [
        ("several", vec!["q1-hint"], vec!["q1-hint", "q1-error"]),
        ("trust", vec![], vec!["q1-error"]),
    ] {
        let path = format!("/p/{slug}");
        let described = |page: &Page| -> Vec<String> {
            let of = page.attributes("fieldset", "aria-describedby").join(" ");
            of.split_whitespace().map(str::to_owned).collect()
        };
        let page = reader.get(&path).await.expect(200);
        assert_eq!(described(&page), before, "{slug}");
        let page = reader.post(&path, &[]).await.expect(422);
        assert_eq!(described(&page), after, "{slug}");
        for id in after {
            assert_eq!(page.all(&format!("#{id}")).len(), 1, "{slug}: {id}");
        }
    }
}

/// By the name of the first input of each question, so that a script finds where it belongs.
#[tokio::test]
async fn polls_scripts_get_all_errors_by_the_names_of_the_inputs() {
    let app = TestApp::start().await;
    app.poll_with("three", |poll| {
        for kind in [Kind::Several, Kind::Ranked] {
            let mut question = poll.questions[0].clone();
            (question.kind, question.max_choices) = (kind, 2);
            question.none = (kind == Kind::Several).then(|| "None of these".into());
            poll.questions.push(question);
        }
    })
    .await;
    let reader = app.reader().with_header("accept", "application/json");
    let answer = [("option.2", "5"), ("option.2", "7")];
    let refused = reader.post("/p/three", &answer).await.expect(422);
    let said: serde_json::Value = serde_json::from_str(&refused.body).unwrap();
    assert_eq!(
        said["errors"],
        serde_json::json!([
            { "field": "option.1", "message": "Choose an answer." },
            { "field": "option.2", "message": "“None of these” cannot be combined with other answers. Choose it on its own, or clear it." },
            { "field": "rank.8", "message": "Give at least your first choice a rank." },
        ])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_an_address_left_with_the_answer_asks_for_the_newsletter() {
    let app = TestApp::start().await;
    let letter = app.newsletter("premium").await;
    app.poll_with("trust", |d| d.newsletter = Some(letter.id))
        .await;
    let reader = app.reader();
    let page = reader
        .get("/articles/trust")
        .await
        .expect(200)
        .says("Do you trust the mainstream media?");
    let form = page.the_form();
    assert_eq!(
        form.value("consent"),
        None,
        "nothing is agreed to beforehand"
    );
    let result = reader
        .submit(
            form.choose("option", "1")
                .fill("email", "ada@example.org")
                .tick("consent", "1"),
        )
        .await
        .expect(200)
        .says("Your answer has been counted")
        .says("Check your inbox");
    let back = reader
        .follow(&result, "Back to the article")
        .await
        .expect(200);
    assert_eq!(back.url.path(), "/articles/trust");
    // A reader who changes the answer also finds the way back.
    let again = reader.follow(&result, "Change my answer").await.expect(200);
    let changed = reader.submit(again.the_form()).await.expect(200);
    reader
        .follow(&changed, "Back to the article")
        .await
        .expect(200);
    app.mail_to("ada@example.org", 1).await;

    // Whatever is wrong with the address, the answer is counted and everything typed is kept.
    for (address, agreed, says, at) in [
        (
            "ada@@example",
            true,
            "Enter an address like",
            &["#email"][..],
        ),
        ("", true, "Enter the email address", &["#email"]),
        ("bob@example.org", false, "Tick the box", &["#consent"]),
        ("bob@@", false, "Tick the box", &["#email", "#consent"]),
    ] {
        let reader = app.reader();
        let mut form = reader
            .get("/p/trust")
            .await
            .the_form()
            .choose("option", "2")
            .fill("email", address);
        if agreed {
            form = form.tick("consent", "1");
        }
        let page = reader
            .submit(form)
            .await
            .expect(422)
            .says(says)
            .says("Your answer has been counted");
        let counted = page.text().matches("Your answer has been counted").count();
        assert_eq!(counted, 1, "said once: {}", page.text());
        assert_eq!(page.attributes(".error-summary a", "href"), at);
        assert_eq!(page.attributes("#email", "value"), [address]);
        assert_eq!(
            page.attributes("input[type=radio][checked]", "value"),
            ["2"]
        );
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 5);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM subscription_request").await,
        1
    );
    // The answer and the address are not joined: no table contains both.
    assert_eq!(
        app.count("SELECT COUNT(*) FROM ballot WHERE tier <> 0")
            .await,
        0
    );
}
