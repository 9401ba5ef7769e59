//! What editors see of a poll beyond its result, and what they must not be able to find out.

use std::time::Duration;

use canvass::polls::{Answers, QuestionText, flush_views};

use crate::support::app::TestApp;
use crate::support::editor::signed_in;
use crate::support::reader::{Page, Reader};

/// A poll with a second question, about the town that readers live in.
pub async fn town_poll(app: &TestApp) {
    app.poll_with("trust", |d| {
        d.questions.push(QuestionText {
            text: "Where do you live?".to_owned(),
            options: ["Harbour", "Hill", "Elsewhere"].map(Into::into).to_vec(),
            ..d.questions[0].clone()
        });
    })
    .await;
}

/// `n` new readers give these two answers.
pub async fn answer(app: &TestApp, n: usize, first: &str, second: &str) {
    for _ in 0..n {
        let fields = [("option.1", first), ("option.2", second)];
        let page = app.reader().post("/p/trust", &fields).await;
        page.expect(200);
    }
}

pub fn cells(page: &Page) -> Vec<String> {
    page.all("section[aria-labelledby=cells] tbody tr:not(:last-child) td")
}

#[tokio::test]
async fn polls_a_look_is_counted_by_the_clock_and_never_by_the_request() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("morning").await;
    app.poll_with("trust", |d| d.newsletter = Some(newsletter.id))
        .await;
    let editor = signed_in(&app).await;
    editor
        .get("/admin/polls/trust/turnout")
        .await
        .expect(200)
        .says("Nobody has answered yet");

    let reader = app.reader();
    let page = reader.get("/p/trust").await.expect(200);
    reader.get("/p/trust").await.expect(200);
    reader.get("/embed/p/trust/data").await.expect(200);
    let head = reader.client().head(app.url("/p/trust")).send().await;
    assert_eq!(head.unwrap().status(), 200);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM poll_step").await,
        0,
        "a request wrote a look"
    );
    flush_views(&app.app).await.unwrap();
    flush_views(&app.app).await.unwrap();
    assert_eq!(
        app.count("SELECT CAST(SUM(n) AS BIGINT) FROM poll_step WHERE step = 1 AND source = 0")
            .await,
        2,
        "a HEAD shows nothing"
    );

    app.advance(Duration::from_secs(5));
    let form = page
        .the_form()
        .choose("option", "1")
        .fill("email", "r@example.org")
        .tick("consent", "1");
    reader.submit(form).await.expect(200).says("counted");
    app.advance(Duration::from_secs(2 * 3_600));
    app.reader()
        .post("/p/trust", &[("option", "2")])
        .await
        .expect(200);
    let confirm = app.mail_to("r@example.org", 1).await.link("/confirm/");
    let page = reader.get(&confirm).await.expect(200);
    for _ in 0..2 {
        reader.submit(page.the_form()).await.expect(200);
    }

    let page = editor.get("/admin/polls/trust/turnout").await.expect(200);
    assert_eq!(
        page.all("section[aria-labelledby=funnel] td"),
        ["3", "", "2", "66.7%", "2", "", "1", "50.0%", "1", "100.0%"]
    );
    // Two hours apart, so three steps; the drawing has as many bars, each in two parts.
    assert_eq!(
        page.all("details td"),
        ["0", "1", "1", "0", "0", "0", "0", "1", "1"]
    );
    assert_eq!(page.attributes(".chart rect", "height").len(), 6);
    assert_eq!(
        app.count("SELECT CAST(SUM(n) AS BIGINT) FROM poll_hour")
            .await,
        app.count("SELECT COUNT(*) FROM ballot WHERE removed IS NULL")
            .await,
        "a ballot that went to its reader is no second turnout"
    );
    page.says("2 Mar, 10:00").says("times in Europe/Berlin");
}

#[tokio::test]
async fn polls_a_changed_answer_is_no_second_turnout() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    let reader = app.reader();
    for option in ["1", "2", "2"] {
        app.advance(Duration::from_secs(3_600));
        reader
            .post("/p/trust", &[("option", option)])
            .await
            .expect(200);
    }
    assert_eq!(
        app.count("SELECT CAST(SUM(n) AS BIGINT) FROM poll_hour")
            .await,
        1
    );
}

#[tokio::test]
async fn polls_no_hidden_cell_follows_from_what_is_shown() {
    let app = TestApp::start().await;
    town_poll(&app).await;
    let editor = signed_in(&app).await;
    let compare = "/admin/polls/trust/compare?rows=2&columns=1";
    editor
        .get(compare)
        .await
        .expect(200)
        .says("too few answers");
    // Options 1 to 3 are Yes, No and Unsure; 4 to 6 are Harbour, Hill and Elsewhere.
    for (first, second, n) in [
        ("1", "4", 20),
        ("2", "4", 15),
        ("1", "5", 3),
        ("2", "5", 25),
        ("1", "6", 12),
        ("2", "6", 30),
    ] {
        answer(&app, n, first, second).await;
    }
    let page = editor.get(compare).await.expect(200);
    // Hill and Yes is 3; since the sums are public, three more cells are hidden with it.
    let shown: Vec<bool> = cells(&page).iter().map(|c| !c.contains("hidden")).collect();
    assert_eq!(cells(&page).len(), 9);
    assert_eq!(
        shown.iter().filter(|s| !**s).count(),
        4,
        "{:?}",
        cells(&page)
    );
    let html = page.body.clone();
    assert!(
        !html.contains(">3<") && !html.contains("3 of 28"),
        "a hidden number stands on the page"
    );
    let steadied = page.all("section[aria-labelledby=steady] tbody tr");
    assert!(
        steadied
            .iter()
            .any(|row| row.contains("Hill") && row.contains("hidden")),
        "{steadied:?}"
    );

    // One more reader: an editor who looks again must not see in which cell she is.
    let before = cells(&page);
    answer(&app, 1, "2", "6").await;
    assert_eq!(cells(&editor.get(compare).await), before);
    answer(&app, 9, "2", "6").await;
    assert_ne!(cells(&editor.get(compare).await), before);
}

/// Another node, or the same one after a restart, shows the same count until there are enough new
/// answers. Viewing writes nothing.
#[tokio::test]
async fn polls_a_count_stands_on_every_node_and_after_a_restart() {
    let app = TestApp::start().await;
    town_poll(&app).await;
    for (first, second) in [("1", "4"), ("2", "4"), ("1", "5"), ("2", "5")] {
        answer(&app, 12, first, second).await;
    }
    let editor = signed_in(&app).await;
    let compare = "/admin/polls/trust/compare?rows=2&columns=1";
    let before = cells(&editor.get(compare).await);
    assert_eq!(app.count("SELECT COUNT(*) FROM kept_count").await, 0);
    app.app.polls.answers.keep(&app.app.db).await.unwrap();
    app.app.polls.answers.keep(&app.app.db).await.unwrap();
    assert_eq!(app.count("SELECT COUNT(*) FROM kept_count").await, 1);
    answer(&app, 1, "2", "5").await;
    let db = app.database.open().await;
    let poll = canvass::polls::by_slug(&db, "trust")
        .await
        .unwrap()
        .unwrap();
    let now = app.app.clock.now();
    let restarted = Answers::default();
    let ballots = async |node: &Answers, voters| {
        let counted = node.of(&db, &poll, voters, now).await.unwrap();
        counted.expect("counted").ballots
    };
    assert_eq!(ballots(&restarted, 49).await, 48);
    assert_eq!(cells(&editor.get(compare).await), before);
    // Ten more answers: both nodes count again, before either has stored its count. The first
    // count that is stored wins.
    answer(&app, 9, "2", "5").await;
    assert_eq!(ballots(&restarted, 58).await, 58);
    answer(&app, 1, "2", "5").await;
    let other = Answers::default();
    assert_eq!(ballots(&other, 59).await, 59);
    restarted.keep(&db).await.unwrap();
    other.keep(&db).await.unwrap();
    assert_eq!(ballots(&other, 59).await, 58);
    assert_eq!(ballots(&Answers::default(), 59).await, 58);
    // Viewing many other polls does not evict it permanently.
    for i in 0..40 {
        let slug = format!("other-{i}");
        app.poll(&slug).await;
        let poll = canvass::polls::by_slug(&db, &slug).await.unwrap().unwrap();
        let _ = other.of(&db, &poll, 0, now).await.unwrap();
        other.keep(&db).await.unwrap();
    }
    answer(&app, 1, "2", "5").await;
    assert_eq!(ballots(&other, 60).await, 58);
    let _ = db.close().await;
}

pub async fn weigh(editor: &Reader, query: &str) -> Page {
    editor
        .get(&format!("/admin/polls/trust/weigh{query}"))
        .await
        .expect(200)
}

#[tokio::test]
async fn polls_weighting_says_what_it_costs_or_why_not() {
    let app = TestApp::start().await;
    town_poll(&app).await;
    let editor = signed_in(&app).await;
    weigh(&editor, "").await.says("no margin of error applies");
    for (first, second, n) in [
        ("1", "4", 25),
        ("2", "4", 35),
        ("3", "4", 15),
        ("1", "5", 80),
        ("2", "5", 10),
        ("3", "5", 10),
        ("2", "6", 4),
    ] {
        answer(&app, n, first, second).await;
    }
    let page = weigh(&editor, "").await;
    let row = &page.all("section[aria-labelledby=shares] tbody tr")[0];
    // Wilson's interval for 105 of 179.
    assert!(
        row.contains("58.7%") && row.contains("51.3 to 65.6%"),
        "{row}"
    );
    assert!(
        page.body
            .contains("if voters were a random draw, which they are not")
    );

    // Four readers from elsewhere cannot represent a tenth of all readers.
    let page = weigh(&editor, "?m4=50&m5=40&m6=10").await;
    let page = page
        .says("Not weighted")
        .says("Fewer than ten answered “Elsewhere”");
    assert!(!page.text().contains("Only 4"), "{}", page.text());
    assert_eq!(
        page.attributes("#m5", "value"),
        ["40"],
        "what was typed is kept"
    );
    weigh(&editor, "?m4=50&m5=40")
        .await
        .says("Not weighted")
        .says("Elsewhere");
    for wrong in [
        "m4=50&m5=x&m6=10",
        "m4=80&m5=40&m6=10",
        "m4=-5&m5=95&m6=10",
        "m4=NaN",
        "m4=1e400&m5=0",
    ] {
        weigh(&editor, &format!("?{wrong}"))
            .await
            .says("do not add up to 100 per cent");
    }

    // Nobody from elsewhere is unsure. Two weighted shares would reveal what "Compare" hides.
    answer(&app, 20, "1", "6").await;
    answer(&app, 6, "2", "6").await;
    let page = weigh(&editor, "?m4=50&m5=40&m6=10").await;
    let page = page.says("what fewer than ten said");
    assert!(page.all(".stat dd").is_empty());
    answer(&app, 10, "3", "6").await;
    let page = weigh(&editor, "?m4=50&m5=40,0&m6=10%25&cap=5").await;
    let stats = page.all(".stat dd");
    assert_eq!(stats[0], "215");
    // Yes: a third of 50, four fifths of 40, half of 10.
    let row = &page.all("section[aria-labelledby=shares] tbody tr")[0];
    assert!(row.contains("53.7%"), "{row}");
    let effective: f64 = stats[1].parse().unwrap();
    assert!(effective < 215.0 && effective > 60.0, "{effective}");
    for odd in ["?cap=x", "?cap=-1&of=99", "?of=%00", "?m999=5"] {
        weigh(&editor, odd).await;
    }
}

#[tokio::test]
async fn polls_editors_pages_are_for_editors() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    for page in ["turnout", "compare", "weigh"] {
        let answer = app
            .reader()
            .get(&format!("/admin/polls/trust/{page}"))
            .await;
        assert!(
            answer.url.path().contains("sign-in"),
            "{page}: {}",
            answer.url
        );
        signed_in(&app)
            .await
            .get(&format!("/admin/polls/none/{page}"))
            .await
            .expect(404);
    }
}
