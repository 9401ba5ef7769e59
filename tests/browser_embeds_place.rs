//! Embedded polls keep their place in the page around them: nothing moves, whatever comes late.

use std::time::Duration;

use canvass::polls::{Definition, Kind};
use serde_json::json;

use crate::browser_embeds::{Embedding, wait_for_module, wait_for_result};
use crate::polls_kinds::options;
use crate::support::browser::{Browser, Look};
use crate::support::elsewhere::Trouble;
use crate::support::world::every_kind;

/// Notes every place of the paragraph after the polls, in view or not, and the height that a frame reports.
const WATCH: &str = "if (parent === window) {
    window.places = [];
    const look = () => {
      const after = document.getElementById('after');
      const place = after && after.getBoundingClientRect().top + scrollY;
      // As browsers do, ignore less than three pixels.
      if (after && !(Math.abs(places.at(-1) - place) < 3)) places.push(place);
      requestAnimationFrame(look);
    };
    look();
    addEventListener('message', ({data}) => { window.told = data?.canvassHeight ?? window.told; });
  }";

const ANSWERED: &str = "Your answer has been counted";

fn long(poll: &mut Definition) {
    poll.questions[0].text = "When you read a report about a place you know well, how often does it agree with what you have seen there yourself?".into();
    poll.questions[0].options = options(&[
        "Nearly always, and where it does not I find a correction within a few days",
        "Often",
        "Seldom, and mostly in what was left out",
        "I do not read about places I know",
        "I cannot say",
    ]);
}

fn thirteen(poll: &mut Definition) {
    let labels: Vec<String> = (1..=13).map(|n| format!("Answer {n}")).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    poll.questions[0].options = options(&labels);
}

fn three_questions(poll: &mut Definition) {
    poll.questions[0].options = options(&["One", "Two", "Three", "Four", "Five"]);
    poll.questions = vec![poll.questions[0].clone(); 3];
    let several = &mut poll.questions[1];
    (several.kind, several.max_choices) = (Kind::Several, 3);
}

fn ranked(poll: &mut Definition) {
    let question = &mut poll.questions[0];
    (question.kind, question.max_choices) = (Kind::Ranked, 0);
    question.options = options(&["Memphis", "Nashville", "Chattanooga", "Knoxville"]);
}

async fn with_polls() -> Embedding {
    let here = Embedding::of(&["trust"]).await;
    let newsletter = here.app.newsletter("morning").await;
    here.app
        .poll_with("letter", |poll| poll.newsletter = Some(newsletter.id))
        .await;
    here.app
        .poll_with("linked", |poll| {
            poll.newsletter = Some(newsletter.id);
            poll.linking = Some(canvass::polls::SUGGESTED_LINK_WORDS.to_owned());
        })
        .await;
    here.app.poll_with("long", long).await;
    here.app.poll_with("thirteen", thirteen).await;
    here.app.poll_with("three-questions", three_questions).await;
    here.app.poll_with("ranked", ranked).await;
    here.app.poll_with("kinds", every_kind).await;
    here.road
        .trouble("POST /p/", Trouble::Slow(Duration::from_millis(700)));
    let late = Duration::from_millis(400);
    here.road.trouble("GET /embed/", Trouble::Slow(late));
    here
}

async fn watching(look: Look) -> Option<Browser> {
    let browser = Browser::open(look).await?;
    let script = json!({ "source": WATCH });
    browser
        .devtools("Page.addScriptToEvaluateOnNewDocument", script)
        .await;
    Some(browser)
}

/// Fails if anything has moved since the page was opened.
async fn assert_in_place(browser: &Browser, name: &str) {
    assert_eq!(browser.moved().await, 0.0, "{name}");
    let places = browser.run("return places;").await;
    let places = places.as_array().map(Vec::as_slice).unwrap_or_default();
    assert_eq!(places.len(), 1, "{name}: the next paragraph at {places:?}");
}

/// Answers every question of the poll at this place in the page with its second option.
async fn answer(browser: &Browser, at: usize) {
    let answered = format!(
        "const poll = document.querySelectorAll('canvass-poll')[{at}];
         const form = poll.querySelector('form') ?? poll.shadowRoot.querySelector('form');
         for (const question of form.querySelectorAll('fieldset')) question.querySelectorAll('input')[1].click();
         form.querySelector('button').click();"
    );
    browser.run(&answered).await;
}

/// Waits until the poll at this place in the page shows these words.
async fn wait_for_words(browser: &Browser, at: usize, words: &str) {
    let shown = format!(
        "const poll = document.querySelectorAll('canvass-poll')[{at}];
         const wait = () => poll.shadowRoot.textContent.includes('{words}') ? done(true) : setTimeout(wait, 20);
         wait();"
    );
    browser.run_async(&shown).await;
}

/// No layout shift: not when the module is late, not when the response takes longer than the half second after a tap
/// that browsers tolerate, not when the result replaces the form, and not when it changes back.
#[tokio::test(flavor = "multi_thread")]
async fn an_embed_never_moves_the_page() {
    let here = with_polls().await;
    for look in [Look::default(), Look::phone()] {
        for (poll, which) in [
            ("trust", "element"),
            ("letter", "element"),
            ("long", "element"),
            ("trust", "short"),
            ("letter", "short"),
            ("linked", "element"),
            ("linked", "short"),
            ("long", "short"),
            ("thirteen", "short"),
            ("three-questions", "short"),
        ] {
            here.publish(&here.snippet(poll, which).await);
            let Some(browser) = watching(look).await else {
                return;
            };
            browser.goto(&here.publisher.article()).await;
            wait_for_module(&browser).await;
            let name = format!("{poll}, {which}, {} px", look.width);
            if which == "short" {
                wait_for_result(&browser, "No account needed").await;
            }
            assert_in_place(&browser, &format!("{name}: drawn")).await;
            answer(&browser, 0).await;
            wait_for_result(&browser, ANSWERED).await;
            assert_in_place(&browser, &format!("{name}: the result")).await;
            browser
                .picture(&format!("embed-{poll}-{which}-{}", look.width))
                .await;
            browser
                .run("document.querySelector('canvass-poll').shadowRoot.querySelector('button').click();")
                .await;
            assert_in_place(&browser, &format!("{name}: the form again")).await;
            browser.close().await;
        }
    }
}

/// Polls that the module shows in a frame, whose form is no higher than was reserved.
#[tokio::test(flavor = "multi_thread")]
async fn a_frame_in_a_short_element_never_moves_the_page() {
    let here = with_polls().await;
    for look in [Look::default(), Look::phone()] {
        for poll in ["ranked", "kinds"] {
            here.publish(&here.snippet(poll, "short").await);
            let Some(browser) = watching(look).await else {
                return;
            };
            browser.goto(&here.publisher.article()).await;
            wait_for_module(&browser).await;
            let heights = browser
                .run_async(
                    "const frame = () => document.querySelector('canvass-poll').shadowRoot.querySelector('iframe');
                     const wait = () => window.told ? done([Number(frame().height), told]) : setTimeout(wait, 20);
                     wait();",
                )
                .await;
            let name = format!("{poll}, {} px", look.width);
            println!("{name}: the frame and the form in it are {heights} px high");
            assert_in_place(&browser, &name).await;
            browser
                .picture(&format!("embed-frame-{poll}-{}", look.width))
                .await;
            browser.close().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_polls_on_a_page_never_move_it() {
    let here = with_polls().await;
    let mut page = here.snippet("trust", "element").await;
    page.push_str(&here.snippet("long", "short").await);
    page.push_str(&here.snippet("thirteen", "short").await);
    here.publish(&page);
    for look in [Look::default(), Look::phone()] {
        let Some(browser) = watching(look).await else {
            return;
        };
        browser.goto(&here.publisher.article()).await;
        wait_for_module(&browser).await;
        let name = format!("{} px", look.width);
        for at in [1, 2] {
            wait_for_words(&browser, at, "No account needed").await;
        }
        assert_in_place(&browser, &format!("{name}: drawn")).await;
        for at in 0..3 {
            answer(&browser, at).await;
            wait_for_words(&browser, at, ANSWERED).await;
            assert_in_place(&browser, &format!("{name}: result {at}")).await;
        }
        browser.close().await;
    }
}

/// The measurements themselves notice a shift.
#[tokio::test(flavor = "multi_thread")]
async fn what_moves_is_noticed() {
    let here = Embedding::of(&["trust"]).await;
    here.publish("<div id=\"late\"></div>");
    let Some(browser) = watching(Look::default()).await else {
        return;
    };
    browser.goto(&here.publisher.article()).await;
    assert_in_place(&browser, "opened").await;
    browser
        .run("document.getElementById('late').style.height = '200px';")
        .await;
    assert!(browser.moved().await > 0.0);
    let places: Vec<f64> = serde_json::from_value(browser.run("return places;").await).unwrap();
    assert_eq!(places.len(), 2, "{places:?}");
    browser.close().await;
}
