//! What embedded polls owe to honesty, in a real browser: an order that differs from reader to reader, numbers with
//! their caveats, and results that stay live for those who answered.

use std::time::Duration;

use canvass::polls::{Kind, Order, Tier, Visibility};
use serde_json::json;

use crate::browser_embeds::{Embedding, choose_and_send, wait_for_module, wait_for_result};
use crate::polls_words::{decide, party, write};
use crate::support::browser::{Browser, Look};
use crate::support::editor::signed_in;
use crate::support::elsewhere::Trouble;

async fn with_a_random_order() -> Embedding {
    let here = Embedding::of(&[]).await;
    here.app
        .poll_with("order", |poll| {
            let question = &mut poll.questions[0];
            question.order = Order::Random;
            question.options = ["a", "b", "c", "d", "e", "f"].map(Into::into).to_vec();
            question.none = Some("None of these".into());
        })
        .await;
    here
}

/// The values of the options from top to bottom.
async fn order(browser: &Browser) -> Vec<String> {
    let values =
        "return [...document.querySelectorAll('canvass-poll [name=option]')].map(o => o.value);";
    serde_json::from_value(browser.run(values).await).unwrap()
}

/// Whether a reader sees the options.
async fn are_visible(browser: &Browser) -> bool {
    let visible = "return [...document.querySelectorAll('canvass-poll [name=option]')]
        .every(o => o.checkVisibility({visibilityProperty: true}));";
    browser.run(visible).await == true
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pasted_poll_is_in_another_order_for_each_reader() {
    let here = with_a_random_order().await;
    let written = ["1", "2", "3", "4", "5", "6", "7"];
    here.publish(&here.snippet("order", "element").await);
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    let late = Duration::from_millis(400);
    here.road.trouble("GET /embed/poll.js", Trouble::Slow(late));
    let mut orders = Vec::new();
    for n in 0..4 {
        browser
            .goto(&format!("{}/{n}", here.publisher.article()))
            .await;
        wait_for_module(&browser).await;
        let seen = order(&browser).await;
        assert_eq!(seen[6], "7", "none of these comes last");
        assert!(are_visible(&browser).await);
        assert_eq!(browser.moved().await, 0.0, "shuffled before it was seen");
        orders.push(seen);
    }
    // The answer belongs to the option, wherever it is.
    choose_and_send(&browser, 3).await;
    wait_for_result(&browser, "c your answer").await;
    assert_eq!(browser.moved().await, 0.0);
    orders.sort();
    orders.dedup();
    assert!(orders.len() > 1, "four readers, one order: {orders:?}");
    browser.close().await;

    // What a reader has seen stays: the module came too late.
    let later = Duration::from_secs(8);
    here.road
        .trouble("GET /embed/poll.js", Trouble::Slow(later));
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    browser.goto(&here.publisher.article()).await;
    wait_for_module(&browser).await;
    assert_eq!(order(&browser).await, written);
    assert!(are_visible(&browser).await);
    assert_eq!(browser.moved().await, 0.0);
    browser.close().await;

    // Nobody waits for a script that does not run.
    for which in ["element", "form"] {
        here.publish(&here.snippet("order", which).await);
        let Some(browser) = Browser::open(Look::default().without_javascript()).await else {
            return;
        };
        browser.goto(&here.publisher.article()).await;
        browser.click("[value='2']").await;
        browser.click("form button").await;
        browser.wait_for_text("Your answer has been counted").await;
        browser.close().await;
    }
}

#[tokio::test]
async fn the_editors_page_says_which_snippets_vary_the_order() {
    let here = with_a_random_order().await;
    here.app.poll("trust").await;
    let editor = signed_in(&here.app).await;
    let page = editor.get("/admin/polls/order/embed").await.expect(200);
    let page = page
        .says("Each reader gets a different order.")
        .says("Its options are in the same order for everybody");
    let pasted = page.all("#element").remove(0);
    assert_eq!(pasted.matches("<div data-random>").count(), 6, "{pasted}");
    assert!(pasted.contains("autocomplete=\"off\""), "{pasted}");
    let page = editor.get("/admin/polls/trust/embed").await.expect(200);
    assert!(!page.text().contains("order for everybody"));
    assert!(!page.all("#element").remove(0).contains("data-random"));
}

/// The caveats of the result page come with the numbers, and nothing moves for them.
#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_result_has_its_caveats() {
    let here = Embedding::of(&[]).await;
    here.app
        .poll_with("topics", |poll| {
            poll.intro = "We plan the pages of the coming year.".into();
            poll.headline_tier = Tier::Subscriber;
            let question = &mut poll.questions[0];
            (question.kind, question.max_choices) = (Kind::Several, 2);
        })
        .await;
    for _ in 0..2 {
        let answer = [("option", "1"), ("option", "2")];
        here.app
            .reader()
            .post("/p/topics", &answer)
            .await
            .expect(200);
    }
    // Slower than the half second after a tap for which browsers forgive a shift.
    let slow = Duration::from_millis(700);
    here.road.trouble("POST /p/", Trouble::Slow(slow));
    for (n, (look, which)) in [
        (Look::default(), "element"),
        (Look::phone(), "element"),
        (Look::default(), "short"),
        (Look::phone(), "short"),
    ]
    .into_iter()
    .enumerate()
    {
        here.publish(&here.snippet("topics", which).await);
        let Some(browser) = Browser::open(look).await else {
            return;
        };
        let name = format!("{which}, {} px", look.width);
        browser.goto(&here.publisher.article()).await;
        wait_for_module(&browser).await;
        let intro = "We plan the pages of the coming year.";
        if which == "short" {
            wait_for_result(&browser, intro).await;
            browser
                .run(
                    "const root = document.querySelector('canvass-poll').shadowRoot;
                     root.querySelector('[value=\"1\"]').click(); root.querySelector('button').click();",
                )
                .await;
        } else {
            browser.wait_for_text(intro).await;
            choose_and_send(&browser, 1).await;
        }
        let seen = wait_for_result(&browser, "Your answer has been counted").await;
        let text = seen["text"].as_str().unwrap_or_default();
        assert!(
            text.contains("Readers could choose several answers."),
            "{name}: {text}"
        );
        let lines = browser
            .run(
                "return document.querySelector('canvass-poll').shadowRoot.querySelector('[part=note]').innerText.split('\\n');",
            )
            .await;
        let all = n + 3;
        let aside =
            format!("In all, {all} readers answered; only confirmed subscribers are counted here.");
        let none = "None of those who answered is counted here yet.";
        assert_eq!(lines, json!([none, aside]), "{name}");
        assert_eq!(browser.moved().await, 0.0, "{name}");
        browser
            .picture(&format!("embed-caveats-{which}-{}", look.width))
            .await;
        browser.assert_accessible().await;
        browser.close().await;
    }
}

/// Kinds of questions that the module does not draw, in our frame.
#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_result_says_what_it_shows_of_other_kinds() {
    let here = Embedding::of(&[]).await;
    party(&here.app).await;
    for words in ["Pirates", "Pirates", "An insult"] {
        write(&here.app, words).await;
    }
    let editor = signed_in(&here.app).await;
    let page = editor.get("/admin/polls/party/words").await.expect(200);
    let shown = decide(&editor, &page, &["Pirates"], None, "show").await;
    shown.expect(200);
    here.app
        .poll_with("capital", |poll| {
            let question = &mut poll.questions[0];
            (question.kind, question.max_choices) = (Kind::Ranked, 0);
        })
        .await;
    for ranks in ["123", "123", "213", "231"] {
        let names = ["rank.1", "rank.2", "rank.3"];
        let ranks: Vec<String> = ranks.chars().map(String::from).collect();
        let fields: Vec<_> = names
            .into_iter()
            .zip(ranks.iter().map(String::as_str))
            .collect();
        here.app
            .reader()
            .post("/p/capital", &fields)
            .await
            .expect(200);
    }
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    let frame = |slug: &str| here.app.url(&format!("/embed/p/{slug}"));
    browser.goto(&frame("party")).await;
    wait_for_module(&browser).await;
    choose_and_send(&browser, 1).await;
    wait_for_result(&browser, "Your answer has been counted").await;
    let words = "return [...document.querySelector('canvass-poll').shadowRoot.querySelectorAll('small')].map(s => s.textContent);";
    assert_eq!(browser.run(words).await, json!(["Pirates 2"]));
    browser.assert_accessible().await;
    browser.picture("embed-words").await;

    browser.goto(&frame("capital")).await;
    wait_for_module(&browser).await;
    browser
        .run("['3', '1', '2'].forEach((rank, i) => { document.querySelector(`[name=\"rank.${i + 1}\"]`).value = rank; });")
        .await;
    browser.click("canvass-poll button").await;
    let seen = wait_for_result(&browser, "Your answer has been counted").await;
    let text = seen["text"].as_str().unwrap_or_default();
    assert!(
        text.contains("These are the first choices, before the rounds."),
        "{text}"
    );
    assert!(text.contains("Full results"), "{text}");
    // The rows are first choices, so one of them is the reader's.
    let own = "return [...document.querySelector('canvass-poll').shadowRoot.querySelectorAll('.own th')].map(r => r.textContent);";
    assert_eq!(browser.run(own).await, json!(["No your first choice"]));
    browser.close().await;
}

/// With the visibility that editors are offered first. Our cookie is a third party's here, and is not sent.
#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_result_is_live_for_those_who_answered() {
    let here = Embedding::of(&[]).await;
    here.app
        .poll_with("trust", |poll| poll.visibility = Visibility::AfterVoting)
        .await;
    here.publish(&here.snippet("trust", "element").await);
    let Some(browser) = Browser::open(Look::default()).await else {
        return;
    };
    browser.goto(&here.publisher.article()).await;
    wait_for_module(&browser).await;
    choose_and_send(&browser, 1).await;
    wait_for_result(&browser, "1 reader chose to answer").await;
    here.another_answers("2").await;
    wait_for_result(&browser, "2 readers chose to answer").await;
    let seen = here.road.seen();
    let asked = seen.iter().filter(|line| line.contains("/live")).count();
    assert_eq!(asked, 1, "{seen:?}");
    // A poll that is no longer in the page follows nothing, not even after "back"; put in again, it does.
    let opened = browser
        .run(
            "let opened = 0;
             const There = window.EventSource;
             window.EventSource = class extends There { constructor(...asked) { super(...asked); opened += 1; } };
             const poll = document.querySelector('canvass-poll');
             const around = poll.parentNode;
             poll.remove();
             dispatchEvent(new Event('pageshow'));
             const removed = opened;
             around.append(poll);
             return [removed, opened];",
        )
        .await;
    assert_eq!(opened, json!([0, 1]));
    browser.close().await;
}

/// Whatever the page says about its language, and while only a part of the answers is counted.
#[tokio::test(flavor = "multi_thread")]
async fn a_note_in_the_sites_own_words_never_loses_an_answer() {
    let here = Embedding::of(&[]).await;
    here.app
        .poll_with("trust", |poll| poll.headline_tier = Tier::Worked)
        .await;
    let words = r#"{"note":"Es antworteten: {readers}.","part":"Gezählt: {readers}, am {first}."}"#;
    let html = here.snippet("trust", "element").await;
    let html = html.replace("<canvass-poll", &format!("<canvass-poll words='{words}'"));
    for (n, (lang, note)) in [
        ("de_DE", "Es antworteten: 1."),
        ("", "Es antworteten: 2."),
        ("de", "Gezählt: 3, am 2. März 2026."),
    ]
    .into_iter()
    .enumerate()
    {
        if lang == "de" {
            // No proof of work, so it is not counted.
            here.another_answers("2").await;
        }
        let opening = format!("<html lang=\"{lang}\">");
        here.publisher
            .publish_as(&opening, "<body>", &html, &here.road.origin);
        let Some(browser) = Browser::open(Look::default()).await else {
            return;
        };
        browser.goto(&here.publisher.article()).await;
        wait_for_module(&browser).await;
        choose_and_send(&browser, 1).await;
        let seen = wait_for_result(&browser, "Your answer has been counted").await;
        let text = seen["text"].as_str().unwrap_or_default();
        assert!(text.contains(note), "{lang:?}, reader {n}: {text}");
        assert!(!text.contains("could not be sent"), "{lang:?}: {text}");
        browser.close().await;
    }
}

#[tokio::test]
async fn a_pasted_form_explains_its_stars_if_it_has_any() {
    let here = Embedding::of(&["trust"]).await;
    here.app
        .poll_with("two", |poll| {
            poll.questions.push(poll.questions[0].clone());
            poll.questions[1].required = false;
        })
        .await;
    let one = here.snippet("trust", "form").await;
    assert!(!one.contains('*'), "{one}");
    let two = here.snippet("two", "form").await;
    assert!(two.contains("Questions marked * need an answer."), "{two}");
    assert_eq!(two.matches(" *</legend>").count(), 1, "{two}");
}
