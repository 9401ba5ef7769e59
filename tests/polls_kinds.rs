//! Kinds of questions: ratings, rankings, and readers' own words, answered without a script.

use canvass::polls::{Kind, OptionText, Order, QuestionText, ScaleText, ballots, by_slug};

use super::support::app::TestApp;
use super::support::page::Page;

pub fn options(labels: &[&str]) -> Vec<OptionText> {
    labels.iter().map(|label| (*label).into()).collect()
}

/// A ranked question about which city should be the capital.
pub async fn capital(app: &TestApp) {
    app.poll_with("capital", |poll| {
        poll.questions = vec![QuestionText {
            text: "Where shall the capital be?".into(),
            kind: Kind::Ranked,
            max_choices: 0,
            options: options(&["Memphis", "Nashville", "Chattanooga", "Knoxville"]),
            ..QuestionText::default()
        }];
    })
    .await;
}

async fn nothing_differs(app: &TestApp, slug: &str) {
    let poll = by_slug(&app.app.db, slug).await.unwrap().unwrap();
    assert_eq!(ballots::audit(&app.app.db, &poll).await.unwrap(), []);
    let verified = ballots::verify(&app.app.db, poll.id).await.unwrap();
    assert_eq!(verified.unwrap().findings, Vec::<String>::new());
    // A difference in these tables is found as well.
    let ranked = "UPDATE ranking_tally SET n = n + $1";
    let words = "UPDATE words_tally SET n = n + $1";
    for table in [ranked, words] {
        let mut found = 0;
        for by in [1_i64, -1] {
            let txn = app.app.db.write_txn("test").await.unwrap();
            let done = canvass::db::run(&*txn, table, [by.into()]).await.unwrap();
            txn.commit().await.unwrap();
            let audited = ballots::audit(&app.app.db, &poll).await.unwrap();
            let verified = ballots::verify(&app.app.db, poll.id).await.unwrap();
            let differs = !verified.unwrap().findings.is_empty();
            assert_eq!(differs, !audited.is_empty());
            found += u64::from(differs);
            assert_eq!(differs, by == 1 && done.rows_affected() > 0, "{table}");
        }
        assert!(found <= 1);
    }
}

fn chosen_ranks(page: &Page) -> Vec<(String, String)> {
    let form = page.form("form.poll");
    let ranks = form
        .fields
        .iter()
        .filter(|(name, value)| name.starts_with("rank.") && !value.is_empty());
    ranks.cloned().collect()
}

#[tokio::test]
async fn a_ranking_is_given_changed_and_counted_round_by_round() {
    let app = TestApp::start().await;
    capital(&app).await;
    for (ranks, times) in [("1234", 42), ("4123", 26), ("4312", 15), ("4321", 17)] {
        // The ranks given to Memphis, Nashville, Chattanooga and Knoxville.
        for _ in 0..times {
            let fields: Vec<(String, String)> = (1..)
                .zip(ranks.chars())
                .map(|(key, rank)| (format!("rank.{key}"), rank.to_string()))
                .collect();
            let fields: Vec<(&str, &str)> = fields
                .iter()
                .map(|(k, v)| (k.as_str(), v.as_str()))
                .collect();
            app.reader().post("/p/capital", &fields).await.expect(200);
        }
    }
    // 42 Memphis first; 26 Nashville, Chattanooga, Knoxville; 15 Chattanooga, Knoxville; 17 Knoxville, Chattanooga.
    let page = app.reader().get("/p/capital/results").await.expect(200);
    page.clone()
        .says("After 3 rounds, Knoxville has 58 of the 100 ballots still in the count.");
    assert_eq!(
        page.all(".results .result-count"),
        ["42", "26", "15", "17"],
        "first choices"
    );
    assert_eq!(
        page.all(".results .result-share"),
        ["42%", "26%", "15%", "17%"]
    );
    let rounds = page.all(".rounds tbody tr");
    assert!(rounds[0].contains("Knoxville 17 32 58"), "{rounds:?}");
    assert!(
        rounds[3].contains("Chattanooga 15 \u{2013}out"),
        "{rounds:?}"
    );
    nothing_differs(&app, "capital").await;

    // A reader ranks two options, sees the ranking, and changes it: there is one ballot, and the old
    // ranking is gone from the tally.
    let reader = app.reader();
    let form = reader
        .get("/p/capital")
        .await
        .expect(200)
        .says("as many as you like")
        .form("form.poll");
    let page = reader
        .submit(form.choose("rank.3", "1").choose("rank.1", "4"))
        .await
        .expect(200);
    page.says("Your answer has been counted");
    let page = reader.get("/p/capital").await.expect(200);
    assert_eq!(
        chosen_ranks(&page),
        [("rank.1".into(), "2".into()), ("rank.3".into(), "1".into())]
    );
    let form = page
        .form("form.poll")
        .choose("rank.1", "")
        .choose("rank.3", "2")
        .choose("rank.4", "1");
    reader.submit(form).await.expect(200);
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 101);
    assert_eq!(
        app.count("SELECT CAST(SUM(n) AS BIGINT) FROM ranking_tally")
            .await,
        101
    );
    nothing_differs(&app, "capital").await;
}

#[tokio::test]
async fn ranks_that_do_not_fit_are_refused_kindly_and_write_nothing() {
    let app = TestApp::start().await;
    capital(&app).await;
    let reader = app.reader();
    let form = reader.get("/p/capital").await.expect(200).form("form.poll");
    let page = reader
        .submit(form.clone().choose("rank.1", "2").choose("rank.4", "2"))
        .await
        .expect(422);
    let page = page.says("Two answers share rank 2. Give each its own");
    assert_eq!(chosen_ranks(&page).len(), 2, "what was chosen is kept");
    reader
        .submit(form)
        .await
        .expect(422)
        .says("Give at least your first choice a rank");
    for fields in [
        &[("rank.1", "5")][..],
        &[("rank.1", "0")],
        &[("rank.1", "-1")],
        &[("rank.1", "NaN")],
        &[("rank.1", "1.5")],
        &[("rank.1", "1"), ("rank.1", "2")],
        &[("rank.9", "1")],
        &[("rank.", "1")],
        &[("rank.1", "1"), ("option", "2")],
        &[("option", "1"), ("option", "9")],
        &[("words.1", "x"), ("rank.1", "1")],
    ] {
        app.reader().post("/p/capital", fields).await.expect(422);
    }
    let huge = "9".repeat(100_000);
    app.reader()
        .post("/p/capital", &[("rank.1", &huge)])
        .await
        .expect(422);
    let many: Vec<(&str, &str)> = vec![("rank.1", "1"); 1_001];
    app.reader().post("/p/capital", &many).await.expect(400);
    app.reader()
        .post("/p/capital", &many[..999])
        .await
        .expect(422);
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 0);
    assert_eq!(app.count("SELECT COUNT(*) FROM ranking_tally").await, 0);
    assert!(
        app.count("SELECT CAST(SUM(n) AS BIGINT) FROM refusal")
            .await
            >= 12
    );
}

#[tokio::test]
async fn a_rating_has_a_distribution_and_a_mean() {
    let app = TestApp::start().await;
    app.poll_with("service", |poll| {
        poll.questions = vec![QuestionText {
            text: "How good is the tram?".into(),
            kind: Kind::Rating,
            scale: Some(ScaleText {
                from: 1,
                to: 5,
                low: "bad".into(),
                high: "good".into(),
            }),
            ..QuestionText::default()
        }];
    })
    .await;
    app.poll_with("long", |poll| {
        poll.questions = vec![QuestionText {
            text: "How good is the bus?".into(),
            kind: Kind::Rating,
            scale: Some(ScaleText {
                from: 0,
                to: 10,
                low: "bad".into(),
                high: "good".into(),
            }),
            ..QuestionText::default()
        }];
    })
    .await;
    // A phone shows these in two rows, so the text of an end would be below a point in the middle.
    let page = app.reader().get("/p/long").await.expect(200);
    assert_eq!(page.all(".scale-line"), ["0 = bad, 10 = good"]);
    assert!(page.all(".scale-ends").is_empty());
    let page = app.reader().get("/p/service").await.expect(200);
    assert_eq!(page.all(".scale-point"), ["1", "2", "3", "4", "5"]);
    assert_eq!(
        page.all(".scale-ends > span"),
        ["lowest: bad", "highest: good"]
    );
    for point in ["1", "4", "4", "5"].iter().cycle().take(29) {
        app.reader()
            .post("/p/service", &[("option", point)])
            .await
            .expect(200);
    }
    let page = app.reader().get("/p/service/results").await.expect(200);
    assert!(
        !page.text().contains("The mean of"),
        "no mean under 30 ratings"
    );
    app.reader()
        .post("/p/service", &[("option", "5")])
        .await
        .expect(200);
    let page = app.reader().get("/p/service/results").await.expect(200);
    page.says("The mean of 30 ratings is 3.5, on a scale from 1 to 5.");
    app.reader()
        .post("/p/service", &[("option", "1"), ("option", "5")])
        .await
        .expect(422);
    nothing_differs(&app, "service").await;
}

#[tokio::test]
async fn own_words_are_kept_with_the_ballot_and_shown_to_nobody() {
    let app = TestApp::start().await;
    app.poll_with("party", |poll| {
        poll.questions[0].other = Some("Another party".into());
        poll.questions[0].none = Some("None of these".into());
    })
    .await;
    let reader = app.reader();
    let form = reader.get("/p/party").await.expect(200).form("form.poll");
    let page = reader
        .submit(form.clone().fill("words.4", " The  Pirates "))
        .await
        .expect(200);
    page.says("Another party").says("1");
    assert!(
        !app.reader()
            .get("/p/party/results")
            .await
            .text()
            .contains("Pirates")
    );
    let page = reader.get("/p/party").await.expect(200);
    assert_eq!(
        page.form("form.poll").value("words.4"),
        Some("The Pirates"),
        "the reader's own is theirs"
    );
    for _ in 0..2 {
        app.reader()
            .post("/p/party", &[("option", "4"), ("words.4", "the PIRATES")])
            .await
            .expect(200);
    }
    assert_eq!(
        app.count("SELECT COUNT(DISTINCT words_key) FROM words_tally")
            .await,
        1,
        "equal but for the case"
    );
    // A changed answer takes the words back.
    reader
        .post("/p/party", &[("option", "1")])
        .await
        .expect(200);
    assert_eq!(
        app.count("SELECT CAST(SUM(n) AS BIGINT) FROM words_tally")
            .await,
        2
    );
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 3);
    nothing_differs(&app, "party").await;

    let page = reader
        .submit(form.clone().fill("words.4", &"x".repeat(121)))
        .await
        .expect(422);
    page.says("at most 120 characters");
    let form = form.choose("option", "1").fill("words.4", "Pirates");
    let page = reader
        .submit(form)
        .await
        .expect(422)
        .says("Keep one of them");
    assert_eq!(page.form("form.poll").value("words.4"), Some("Pirates"));
    for (words, message) in [
        ("a\r\nb", "one line"),
        ("a\u{202e}b", "one line"),
        ("a\u{7}", "one line"),
    ] {
        app.reader()
            .post("/p/party", &[("words.4", words)])
            .await
            .expect(422)
            .says(message);
    }
    app.reader()
        .post("/p/party", &[("words.1", "x")])
        .await
        .expect(422);
    app.reader()
        .post("/p/party", &[("words.4", "x"), ("words.4", "y")])
        .await
        .expect(422);
    app.reader()
        .post("/p/party", &[("words.4", &"x".repeat(1_000_000))])
        .await
        .expect(413);
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 3);
}

#[tokio::test]
async fn options_stand_in_another_order_for_each_reader_who_keeps_theirs() {
    let app = TestApp::start().await;
    app.poll_with("order", |poll| {
        poll.questions[0].options = options(&["a", "b", "c", "d", "e", "f", "g", "h"]);
        poll.questions[0].order = Order::Random;
        poll.questions[0].other = Some("Other".into());
    })
    .await;
    let order = |page: Page| page.attributes("form.poll input[type=radio]", "value");
    let mut orders = Vec::new();
    for _ in 0..6 {
        let seen = order(app.reader().get("/p/order").await.expect(200));
        assert_eq!(
            seen.last().map(String::as_str),
            Some("9"),
            "the other one last"
        );
        orders.push(seen);
    }
    orders.sort();
    orders.dedup();
    assert!(orders.len() > 1, "six readers, one order: {orders:?}");
    let reader = app.reader();
    reader
        .post("/p/order", &[("option", "3")])
        .await
        .expect(200);
    let first = order(reader.get("/p/order").await.expect(200));
    for _ in 0..3 {
        assert_eq!(order(reader.get("/p/order").await.expect(200)), first);
    }
    // Results are in the editor's order.
    let rows = app
        .reader()
        .get("/p/order/results")
        .await
        .expect(200)
        .all(".results .result-label");
    assert_eq!(rows, ["a", "b", "c", "d", "e", "f", "g", "h", "Other"]);
}

#[tokio::test]
async fn options_of_another_poll_are_refused_whatever_the_field() {
    let app = TestApp::start().await;
    capital(&app).await;
    app.poll("trust").await;
    for fields in [
        &[("option", "4")][..],
        &[("rank.1", "1")],
        &[("words.1", "x")],
        &[("option", "1"), ("rank.4", "1")],
    ] {
        app.reader().post("/p/trust", fields).await.expect(422);
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 0);
}
