//! Readers' own words: they are queued, shown, merged and hidden; and they are data wherever they appear.

use canvass::polls::{ballots, by_slug};

use super::support::app::TestApp;
use super::support::editor::signed_in;
use super::support::page::Page;
use super::support::reader::Reader;
use super::support::require::corpus;

pub async fn party(app: &TestApp) {
    app.poll_with("party", |poll| {
        poll.questions[0].other = Some("Another party".into())
    })
    .await;
}

pub async fn write(app: &TestApp, words: &str) {
    app.reader()
        .post("/p/party", &[("option", "4"), ("words.4", words)])
        .await
        .expect(200);
}

/// Ticks the lines with these texts and presses a button.
pub async fn decide(
    browser: &Reader,
    page: &Page,
    lines: &[&str],
    shown: Option<&str>,
    act: &str,
) -> Page {
    let texts = page.all("tbody th label");
    let values = page.attributes("input[name=words]", "value");
    let mut form = page.form("main form.form");
    for line in lines {
        let at = texts
            .iter()
            .position(|text| text == line)
            .unwrap_or_else(|| panic!("{line:?} not in {texts:?}"));
        form.fields.push(("words".into(), values[at].clone()));
    }
    if let Some(shown) = shown {
        form = form.fill("shown", shown);
    }
    browser.submit(form.button("act", act)).await
}

#[tokio::test]
async fn words_wait_are_shown_merged_hidden_and_wait_again() {
    let app = TestApp::start().await;
    party(&app).await;
    for words in [
        "The Pirates",
        "the pirates",
        "Pirate Party",
        "An insult",
        "Greens",
    ] {
        write(&app, words).await;
    }
    let browser = signed_in(&app).await;
    let page = browser.get("/admin/polls/party").await.expect(200);
    let page = browser.follow(&page, "own words").await.expect(200);
    assert_eq!(
        page.all("tbody td.num"),
        ["2", "1", "1", "1"],
        "equal words are one line"
    );
    let results = || async { app.reader().get("/p/party/results").await.expect(200) };
    assert!(results().await.all(".own-words-shown").is_empty());

    let page = decide(
        &browser,
        &page,
        &["The Pirates", "Pirate Party"],
        Some("Pirate Party"),
        "show",
    )
    .await;
    let page = page.expect(200).says("They are now shown in the result");
    let shown = results().await;
    let all = shown.all(".own-words-shown")[0].clone();
    assert_eq!(all, "Pirate Party 3 other answers 2");
    assert!(!shown.text().contains("insult") && !shown.text().contains("Greens"));

    let page = decide(&browser, &page, &["An insult"], None, "hide")
        .await
        .expect(200);
    let page = decide(&browser, &page, &["Greens"], None, "show")
        .await
        .expect(200)
        .says("Nothing is waiting");
    assert_eq!(
        results().await.all(".own-words-shown"),
        ["Pirate Party 3 Greens 1 other answers 1"]
    );
    // The API returns the same.
    let api: serde_json::Value = app
        .reader()
        .client()
        .get(app.url("/api/v1/polls/party/results"))
        .bearer_auth(app.api_token().await)
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(
        api["questions"][0]["rows"][3]["words"][0]["text"],
        "Pirate Party"
    );

    // A new ballot with known words counts at once; a changed ballot takes its words along.
    write(&app, "GREENS").await;
    assert_eq!(
        results().await.all(".own-words-shown"),
        ["Pirate Party 3 Greens 2 other answers 1"]
    );
    let page = browser.follow(&page, "Shown").await.expect(200);
    let page = decide(&browser, &page, &["Greens"], Some("The Greens"), "show")
        .await
        .expect(200);
    let page = page.says("shown as The Greens");
    decide(&browser, &page, &["Greens"], None, "wait")
        .await
        .expect(200);
    assert_eq!(
        results().await.all(".own-words-shown"),
        ["Pirate Party 3 other answers 3"]
    );
    let poll = by_slug(&app.app.db, "party").await.unwrap().unwrap();
    assert_eq!(ballots::audit(&app.app.db, &poll).await.unwrap(), []);
}

#[tokio::test]
async fn decisions_about_what_nobody_wrote_change_nothing() {
    let app = TestApp::start().await;
    party(&app).await;
    app.poll("trust").await;
    write(&app, "Greens").await;
    let browser = signed_in(&app).await;
    let page = browser.get("/admin/polls/party/words").await.expect(200);
    let form = page.form("main form.form");
    browser
        .submit(form.clone().button("act", "show"))
        .await
        .expect(422)
        .says("Choose at least one line");
    let unknown = format!("4.{}", "00".repeat(16));
    for (words, status) in [
        (unknown.as_str(), 404),
        ("1.00", 400),
        ("4.zz", 400),
        ("9.00", 400),
        ("", 400),
        (".", 400),
    ] {
        let mut form = form.clone();
        form.fields.push(("words".into(), words.into()));
        browser
            .submit(form.button("act", "show"))
            .await
            .expect(status);
    }
    let line = page.attributes("input[name=words]", "value").remove(0);
    let mut chosen = form.clone();
    chosen.fields.push(("words".into(), line));
    browser
        .submit(
            chosen
                .clone()
                .fill("shown", &"x".repeat(121))
                .button("act", "show"),
        )
        .await
        .expect(422);
    let mut odd = chosen;
    odd.fields.push(("act".into(), "burn".into()));
    browser.submit(odd).await.expect(400);
    assert_eq!(app.count("SELECT COUNT(*) FROM words_ruling").await, 0);
    // A poll without such an option has no such page; and only editors can open it.
    browser.get("/admin/polls/trust/words").await.expect(404);
    app.reader()
        .get("/admin/polls/party/words")
        .await
        .says("Sign in");
    for odd in ["show=x", "page=-1", "page=999999999999", "show=%00"] {
        browser
            .get(&format!("/admin/polls/party/words?{odd}"))
            .await
            .expect(200);
    }
}

/// Some payloads, and those of a corpus where it is there, written by a reader and approved by an editor, is text and nothing else on every page.
#[tokio::test]
async fn words_are_data_on_every_page() {
    let mut payloads = vec![
        "<script>alert(1)</script>".to_owned(),
        "\"><img src=x onerror=alert(1)>".to_owned(),
        "' autofocus onfocus=alert(1) '".to_owned(),
        "{{#each this}}{{{this}}}".to_owned(),
        "</bdi></label></textarea><svg/onload=alert(1)>".to_owned(),
    ];
    if let Some(corpus) = corpus("xss") {
        let corpus = std::fs::read_to_string(corpus.join("payloads.jsonl")).unwrap();
        payloads.extend(corpus.lines().filter_map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).ok()?;
            Some(line["payload"].as_str()?.to_owned())
        }));
    }
    let cleaned = |text: &String| {
        canvass::polls::cleaned_words(text)
            .ok()
            .filter(|text| !text.is_empty())
    };
    let mut payloads: Vec<String> = payloads
        .iter()
        .filter_map(cleaned)
        .filter(|text| text.contains('<'))
        .collect();
    payloads.sort();
    payloads.dedup();
    payloads.truncate(250);
    let app = TestApp::start().await;
    party(&app).await;
    let reader = app.reader();
    let plain = reader.get("/p/party").await.expect(200);
    for payload in &payloads {
        write(&app, payload).await;
    }
    let txn = app.app.db.write_txn("test").await.unwrap();
    let sql = "INSERT INTO words_ruling (poll_id, option_id, words_key, ruling, shown, ruled_ms) \
               SELECT poll_id, option_id, words_key, 1, MIN(written), 1 FROM words_tally GROUP BY poll_id, option_id, words_key";
    canvass::db::run(&*txn, sql, []).await.unwrap();
    txn.commit().await.unwrap();
    reader
        .post("/p/party", &[("words.4", &payloads[0])])
        .await
        .expect(200);
    let browser = signed_in(&app).await;
    let elements = |page: &Page| {
        page.attributes(
            "script, img, svg:not(.bar), iframe, [onerror], [onload], [onfocus], style, object",
            "src",
        )
        .len()
    };
    let scripts =
        |page: &Page| page.all("script").len() + page.all("iframe, object, embed, style").len();
    for (page, of) in [
        (reader.get("/p/party/results").await.expect(200), "results"),
        (
            reader.get("/p/party").await.expect(200),
            "the form, filled in",
        ),
        (
            browser
                .get("/admin/polls/party/words?show=shown")
                .await
                .expect(200),
            "the editors' list",
        ),
        (
            browser.get("/admin/polls/party").await.expect(200),
            "the editors' result",
        ),
        (
            app.reader().get("/embed/p/party").await.expect(200),
            "the embed",
        ),
    ] {
        assert_eq!(
            page.attributes(
                "[onerror], [onload], [onfocus], [onclick], [onmouseover]",
                "class"
            )
            .len(),
            0,
            "{of}"
        );
        assert!(
            page.all("img, object, embed, math, marquee, iframe, style")
                .is_empty(),
            "{of}"
        );
        assert!(
            elements(&page) <= 3 && scripts(&page) <= 3,
            "{of}: {} {}",
            elements(&page),
            scripts(&page)
        );
    }
    let shown = app
        .reader()
        .get("/p/party/results")
        .await
        .expect(200)
        .all(".own-words-shown bdi");
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for payload in &payloads {
        assert!(
            shown.iter().any(|text| *text == squeezed(payload)),
            "{payload:?} does not stand as it was written"
        );
    }
    drop(plain);
}

/// Editors' rulings on words are in the log, in the record after the close, and in a further record after the sealing.
#[tokio::test]
async fn words_that_readers_see_are_verified() {
    let app = TestApp::start().await;
    party(&app).await;
    for words in ["The Pirates", "An insult", "Greens"] {
        write(&app, words).await;
    }
    let verified = || async {
        let poll = by_slug(&app.app.db, "party").await.unwrap().unwrap();
        let verified = ballots::verify(&app.app.db, poll.id).await.unwrap();
        verified.unwrap().findings
    };
    let tamper = |sql: &'static str| {
        let db = &app.app.db;
        async move {
            let txn = db.write_txn("test").await.unwrap();
            canvass::db::run(&*txn, sql, []).await.unwrap();
            txn.commit().await.unwrap();
        }
    };
    let days = |days: u64| app.advance(std::time::Duration::from_secs(days * 24 * 60 * 60));
    let rule = |line: &'static str, act: &'static str, tab: &'static str| {
        let app = &app;
        async move {
            let browser = signed_in(app).await;
            let page = browser
                .get(&format!("/admin/polls/party/words?show={tab}"))
                .await
                .expect(200);
            decide(&browser, &page, &[line], None, act)
                .await
                .expect(200);
        }
    };
    rule("The Pirates", "show", "waiting").await;
    rule("An insult", "hide", "waiting").await;
    assert_eq!(verified().await, Vec::<String>::new());
    for (change, back) in [
        (
            "UPDATE words_ruling SET ruling = 1, shown = 'Insulted'  WHERE ruling = 2",
            "UPDATE words_ruling SET ruling = 2, shown = '' WHERE shown = 'Insulted'",
        ),
        (
            "UPDATE words_ruling SET shown = 'Others' WHERE ruling = 1",
            "UPDATE words_ruling SET shown = 'The Pirates' WHERE ruling = 1",
        ),
        (
            "UPDATE mail_vote SET counted = 1",
            "UPDATE mail_vote SET counted = 0",
        ),
    ] {
        tamper("INSERT INTO mail_vote (poll_id, issue_id, slot) SELECT id, 7, 0 FROM poll WHERE slug = 'party' ON CONFLICT DO NOTHING").await;
        tamper(change).await;
        assert_eq!(verified().await.len(), 1, "{change}");
        tamper(back).await;
        assert_eq!(verified().await, Vec::<String>::new(), "{back}");
    }
    let close = "UPDATE poll SET state = 2, closed_ms = 1772442000000";
    tamper(close).await;
    canvass::polls::seal_tick(&app.app).await.unwrap();
    assert_eq!(app.count("SELECT MAX(number) FROM poll_record").await, 1);
    rule("Greens", "show", "waiting").await;
    assert_eq!(
        verified().await,
        Vec::<String>::new(),
        "the record is renewed by the next tick"
    );
    canvass::polls::seal_tick(&app.app).await.unwrap();
    assert_eq!(app.count("SELECT MAX(number) FROM poll_record").await, 2);
    days(8);
    canvass::polls::seal_tick(&app.app).await.unwrap();
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 0);
    // An insult that is discovered later can still be hidden.
    rule("Greens", "hide", "shown").await;
    assert_eq!(app.count("SELECT MAX(number) FROM poll_record").await, 3);
    assert_eq!(verified().await, Vec::<String>::new());
    tamper("UPDATE words_ruling SET ruling = 1, shown = 'Greens' WHERE ruling = 2").await;
    assert!(!verified().await.is_empty());
}
