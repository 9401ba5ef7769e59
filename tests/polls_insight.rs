//! What editors see of a poll beyond its result, and what they must not be able to see.

use std::time::Duration;

use canvass::polls::define::QuestionText;
use canvass::polls::flush_views;

use crate::support::app::TestApp;
use crate::support::editor::signed_in;
use crate::support::reader::{Page, Reader};

/// A poll with a second question, of which town readers live in.
async fn town_poll(app: &TestApp) {
    app.poll_with("trust", |d| {
        d.questions.push(QuestionText {
            text: "Where do you live?".to_owned(),
            options: ["Harbour", "Hill", "Elsewhere"].map(Into::into).to_vec(),
            ..d.questions[0].clone()
        });
    })
    .await;
}

/// `n` readers of their own give these two answers.
async fn answer(app: &TestApp, n: usize, first: &str, second: &str) {
    for _ in 0..n {
        let fields = [("option.1", first), ("option.2", second)];
        let page = app.reader().post("/p/trust", &fields).await;
        page.expect(200);
    }
}

fn cells(page: &Page) -> Vec<String> {
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
    // Two hours apart in three steps, and the drawing has as many bars of two parts.
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
    // Yes, No, Unsure are 1 to 3; Harbour, Hill, Elsewhere 4 to 6.
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
    // Hill and Yes is 3; with the sums public, three more have to go with it.
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

    // One reader more: an editor who looks again must not see which cell she is in.
    let before = cells(&page);
    answer(&app, 1, "2", "6").await;
    assert_eq!(cells(&editor.get(compare).await), before);
    answer(&app, 9, "2", "6").await;
    assert_ne!(cells(&editor.get(compare).await), before);
}

async fn weigh(editor: &Reader, query: &str) -> Page {
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
        ("2", "4", 50),
        ("1", "5", 20),
        ("2", "5", 5),
        ("3", "6", 4),
    ] {
        answer(&app, n, first, second).await;
    }
    let page = weigh(&editor, "").await;
    let row = &page.all("section[aria-labelledby=shares] tbody tr")[0];
    // 45 of 104: Wilson's interval.
    assert!(
        row.contains("43.3%") && row.contains("34.2 to 52.9%"),
        "{row}"
    );
    assert!(
        page.body
            .contains("if voters were a random draw, which they are not")
    );

    // Four from elsewhere cannot stand for a tenth of all readers.
    let page = weigh(&editor, "?m4=50&m5=40&m6=10").await;
    let page = page
        .says("Not weighted")
        .says("Only 4 answered “Elsewhere”");
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

    answer(&app, 16, "1", "6").await;
    let page = weigh(&editor, "?m4=50&m5=40,0&m6=10%25&cap=5").await;
    let stats = page.all(".stat dd");
    assert_eq!(stats[0], "120");
    // Yes: a third of 50, four fifths of 40, four fifths of 10.
    let row = &page.all("section[aria-labelledby=shares] tbody tr")[0];
    assert!(row.contains("56.7%"), "{row}");
    let effective: f64 = stats[1].parse().unwrap();
    assert!(effective < 120.0 && effective > 60.0, "{effective}");
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
