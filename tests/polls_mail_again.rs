//! The page of a mail's link, submitted again and submitted late: no press is worth more than one
//! ballot, and none is lost. Whoever comes again finds the options where they were.

use std::time::Duration;

use canvass::polls::Order;

use crate::polls_elsewhere::link;
use crate::polls_kinds::options;
use crate::support::app::TestApp;
use crate::support::page::{Form, Page};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MOMENT: Duration = Duration::from_millis(1);

/// The voters, and the answers for Yes and No, by the tally.
async fn tally(app: &TestApp) -> [i64; 3] {
    let sum = |option: &str| {
        format!("SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM tally WHERE option_id = {option}")
    };
    let option = |at: u8| {
        sum(&format!(
            "(SELECT id FROM poll_option WHERE position = {at})"
        ))
    };
    [
        app.count(&sum("0")).await,
        app.count(&option(1)).await,
        app.count(&option(2)).await,
    ]
}

fn with_nonce(mut form: Form, nonce: &str) -> Form {
    form.fields.retain(|(name, _)| name != "nonce");
    form.fields.push(("nonce".to_owned(), nonce.to_owned()));
    form
}

/// A nonce can be reused: a reader who goes back and presses again changes the answer. So a nonce that somebody else
/// has seen must be useless for any other ballot.
#[tokio::test]
async fn polls_a_nonce_used_again_moves_the_ballot_and_adds_none() {
    let app = TestApp::start().await;
    let poll = app.poll("trust").await;
    let path = link(&app, poll, 1, "ada@example.org").await;
    let form = app.reader().get(&path).await.expect(200).the_form();
    let nonce = form.value("nonce").unwrap().to_owned();
    app.advance(SECOND);
    let counted = "Your answer has been counted";
    let press = async |form: Form| app.reader().submit(form).await.expect(200).says(counted);
    press(form.clone()).await;
    assert_eq!(tally(&app).await, [1, 1, 0]);
    // The same press again, also in another browser, and with another answer.
    press(form.clone()).await;
    assert_eq!(tally(&app).await, [1, 1, 0]);
    press(form.clone().choose("option", "2")).await;
    assert_eq!(tally(&app).await, [1, 0, 1]);
    // Many at once, as a program would send them.
    let many = (0..20).map(|n| press(form.clone().choose("option", &(1 + n % 2).to_string())));
    futures::future::join_all(many).await;
    let [voters, yes, no] = tally(&app).await;
    assert_eq!((voters, yes + no), (1, 1));
    // It is not valid for another reader's link.
    let other = link(&app, poll, 1, "bob@example.org").await;
    let form = app.reader().get(&other).await.expect(200).the_form();
    app.advance(SECOND);
    let stolen = app.reader().submit(with_nonce(form, &nonce)).await;
    stolen.expect(409).says("Please press the button once more");
    assert_eq!(tally(&app).await[0], 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 1);
    app.assert_the_count_agrees("trust").await;
}

#[tokio::test]
async fn polls_a_page_that_was_open_for_a_day_counts_and_an_older_one_asks_again() {
    let app = TestApp::start().await;
    let poll = app.poll("trust").await;
    for (address, late) in [("ada@example.org", false), ("bob@example.org", true)] {
        let path = link(&app, poll, 1, address).await;
        let form = app.reader().get(&path).await.expect(200).the_form();
        let before = tally(&app).await[0];
        app.advance(DAY);
        if !late {
            app.reader().submit(form).await.expect(200);
            assert_eq!(tally(&app).await[0], before + 1, "a day");
            continue;
        }
        app.advance(MOMENT);
        let chosen = form.choose("option", "2");
        let again = app.reader().submit(chosen).await.expect(409);
        let again = again.says("This page has been open for a long time");
        assert_eq!(tally(&app).await[0], before, "a millisecond more");
        // The choice is kept, and the page has everything needed to count it.
        assert_eq!(again.attributes("input[checked]", "value"), ["2"]);
        app.advance(SECOND);
        let counted = app.reader().submit(again.the_form()).await.expect(200);
        counted.says("Your answer has been counted");
        assert_eq!(tally(&app).await, [before + 1, 1, 1]);
    }
    // Links do not expire while the poll is open.
    let path = link(&app, poll, 1, "eve@example.org").await;
    app.advance(400 * DAY);
    let form = app.reader().get(&path).await.expect(200).the_form();
    app.advance(SECOND);
    app.reader().submit(form).await.expect(200);
    assert_eq!(tally(&app).await, [3, 2, 1]);
    app.assert_the_count_agrees("trust").await;
}

/// A browser that voted by a mail's link has no marker.
#[tokio::test]
async fn polls_a_mails_reader_keeps_the_order_on_the_polls_page() {
    let app = TestApp::start().await;
    let poll = app
        .poll_with("order", |poll| {
            poll.questions[0].options = options(&["a", "b", "c", "d", "e", "f", "g", "h"]);
            poll.questions[0].order = Order::Random;
        })
        .await;
    let order = |page: &Page| page.attributes("form.poll input[type=radio]", "value");
    let path = link(&app, poll, 3, "ada@example.org").await;
    let reader = app.reader();
    let page = reader.get(&path).await.expect(200);
    let seen = order(&page);
    assert_eq!(seen.len(), 8);
    app.advance(SECOND);
    let done = reader.submit(page.the_form()).await.expect(200);
    done.says("Your answer has been counted");
    for _ in 0..3 {
        assert_eq!(order(&reader.get("/p/order").await.expect(200)), seen);
    }
    let nothing_chosen = reader.post("/p/order", &[]).await.expect(422);
    assert_eq!(order(&nothing_chosen), seen);
}
