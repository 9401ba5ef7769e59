//! Kinds of questions in a real browser: on a phone, by keyboard, without JavaScript, and while the result changes.

use super::polls_kinds::capital;
use super::support::app::TestApp;
use super::support::browser::{Browser, Look};
use super::support::world::every_kind;

const TAB: char = '\u{e004}';
const ENTER: char = '\u{e007}';

async fn kinds(app: &TestApp) {
    app.poll_with("kinds", every_kind).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_fits_a_phone_and_a_finger() {
    let app = TestApp::start().await;
    kinds(&app).await;
    for look in [Look::phone(), Look::phone().dark()] {
        let Some(browser) = Browser::open(look).await else {
            return;
        };
        browser.goto(&app.url("/p/kinds")).await;
        browser.assert_no_sideways_scroll().await;
        browser.assert_accessible().await;
        let small = browser
            .run(
                "return [...document.querySelectorAll('main button, main select, main input:not([type=hidden], [tabindex^=\"-\"])')]
                   .map(e => e.closest('label') ?? e)
                   .map(e => [Math.min(e.getBoundingClientRect().height, e.getBoundingClientRect().width), e.outerHTML.slice(0, 100)])
                   .filter(([least]) => least < 44);",
            )
            .await;
        assert_eq!(
            small,
            serde_json::json!([]),
            "smaller than 44 px: {small:#}"
        );
        browser.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ranking_is_given_by_keyboard_without_javascript() {
    let app = TestApp::start().await;
    capital(&app).await;
    let Some(browser) = Browser::open(Look::default().without_javascript()).await else {
        return;
    };
    browser.goto(&app.url("/p/capital")).await;
    browser
        .find("select[name='rank.2']")
        .await
        .send_keys("1")
        .await
        .unwrap();
    browser
        .find("select[name='rank.4']")
        .await
        .send_keys("2")
        .await
        .unwrap();
    browser.press(&[TAB, ENTER]).await;
    browser.wait_for_text("Your answer has been counted").await;
    // With a single ballot there are no rounds to show.
    let text = browser.text().await;
    assert!(text.contains("your first choice") && !text.contains("In the first round"));
    assert_eq!(app.count("SELECT COUNT(*) FROM ranking_tally").await, 1);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_off_stays_true_while_it_is_watched() {
    let app = TestApp::start().await;
    capital(&app).await;
    app.reader()
        .post("/p/capital", &[("option", "1")])
        .await
        .expect(200);
    let Some(browser) = Browser::open(Look::default()).await else {
        return;
    };
    browser.goto(&app.url("/p/capital/results")).await;
    browser.wait_for_text("1 reader chose to answer").await;
    for (ballot, times) in [
        (["1", "2", "3", "4"], 3),
        (["2", "3", "4", "1"], 3),
        (["4", "3", "2", "1"], 2),
    ] {
        for _ in 0..times {
            let fields: Vec<(&str, &str)> =
                ballot.iter().map(|option| ("option", *option)).collect();
            app.reader().post("/p/capital", &fields).await.expect(200);
        }
    }
    // Nobody for Chattanooga; then Knoxville leaves, and its ballots go to Nashville.
    browser
        .wait_for_text("After 3 rounds, Nashville has 5 of the 9 ballots still in the count.")
        .await;
    let rounds = browser
        .run("return [...document.querySelectorAll('.rounds tbody tr')].map(r => [...r.cells].map(c => c.textContent));")
        .await;
    assert_eq!(rounds[0], serde_json::json!(["Nashville", "3", "3", "5"]));
    assert_eq!(rounds[1], serde_json::json!(["Memphis", "4", "4", "4"]));
    browser.assert_accessible().await;
    browser.close().await;
}

/// The script that updates a result has to be served: without it the page looks complete but silently stays as it is.
#[tokio::test]
async fn every_script_that_a_readers_page_names_is_served() {
    let app = TestApp::start().await;
    kinds(&app).await;
    let mut seen = 0;
    for path in ["/p/kinds", "/p/kinds/results", "/embed/p/kinds"] {
        let page = app.reader().get(path).await.expect(200);
        for script in page.attributes("script[src]", "src") {
            let script = app.reader().get(&script).await.expect(200);
            assert!(
                script.headers["content-type"]
                    .to_str()
                    .unwrap()
                    .starts_with("text/javascript")
            );
            seen += 1;
        }
    }
    assert!(seen >= 2, "{seen} scripts");
}
