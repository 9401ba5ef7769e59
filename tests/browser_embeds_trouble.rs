//! Embedded polls when something goes wrong, and in the frames of systems that strip scripts.

use std::time::Duration;

use canvass::polls::{Kind, QuestionText};
use serde_json::json;

use crate::browser_embeds::{Embedding, choose_and_send, wait_for_module, wait_for_result};
use crate::support::app::START;
use crate::support::browser::{Browser, Look};
use crate::support::elsewhere::{Publisher, Trouble};
use crate::support::wait::{self, Waiting};

async fn opened(here: &Embedding, which: &str) -> Option<Browser> {
    here.publish(&here.snippet("trust", which).await);
    let browser = Browser::open(Look::phone()).await?;
    browser.goto(&here.publisher.article()).await;
    wait_for_module(&browser).await;
    Some(browser)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embed_without_network_keeps_the_answer_and_sends_it_again() {
    let here = Embedding::of(&["trust"]).await;
    let Some(browser) = opened(&here, "element").await else {
        return;
    };
    let network = |offline: bool| json!({"offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1});
    browser.devtools("Network.enable", json!({})).await;
    browser
        .devtools("Network.emulateNetworkConditions", network(true))
        .await;
    choose_and_send(&browser, 2).await;
    wait_for_result(&browser, "could not be sent").await;
    assert_eq!(browser.moved().await, 0.0);
    browser.picture("embed-offline").await;
    browser.assert_accessible().await;
    browser
        .devtools("Network.emulateNetworkConditions", network(false))
        .await;
    // The choice is still selected.
    let button = browser.find("canvass-poll button").await;
    button.click().await.unwrap();
    wait_for_result(&browser, "No your answer").await;
    assert_eq!(here.ballots().await, 1);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embed_waits_as_long_as_it_is_told_when_many_answer() {
    let here = Embedding::of(&["trust"]).await;
    here.road.trouble("POST /p/trust", Trouble::Full(2));
    let Some(browser) = opened(&here, "element").await else {
        return;
    };
    // The words stand there for two seconds, and the browser may be too slow to be asked meanwhile.
    let told = "const root = document.querySelector('canvass-poll').shadowRoot;
         window.told = false;
         new MutationObserver(() => { told ||= root.textContent.includes('again in a moment'); })
           .observe(root, { childList: true, characterData: true, subtree: true });";
    browser.run(told).await;
    let started = tokio::time::Instant::now();
    choose_and_send(&browser, 1).await;
    wait_for_result(&browser, "Your answer has been counted").await;
    assert_eq!(browser.run("return told;").await, true, "nothing was said");
    assert!(
        started.elapsed() >= Duration::from_secs(2),
        "two waits of a second"
    );
    let tries = here.road.seen();
    let tries = tries.iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!((tries, here.ballots().await), (3, 1));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embed_says_when_the_poll_has_closed_meanwhile() {
    let here = Embedding::of(&[]).await;
    here.app
        .poll_with("trust", |poll| {
            poll.closes_at = Some(START + Duration::from_secs(60));
        })
        .await;
    let Some(browser) = opened(&here, "element").await else {
        return;
    };
    here.app.advance(Duration::from_secs(61));
    choose_and_send(&browser, 1).await;
    let seen = wait_for_result(&browser, "Your answer was not counted. The poll closed on").await;
    assert_eq!(seen["focus"], "Results", "the result is shown all the same");
    assert_eq!(here.ballots().await, 0);
    browser.picture("embed-closed").await;
    // Opened after the close: the short element shows the result at once.
    here.publish(&here.snippet("trust", "short").await);
    browser.goto(&here.publisher.article()).await;
    wait_for_result(&browser, "Nobody has answered yet").await;
    browser.close().await;
}

/// On a site that was not configured, the module cannot read our response, and the reader is led to the poll's page.
#[tokio::test(flavor = "multi_thread")]
async fn an_embed_on_a_site_that_was_not_named_leads_to_the_poll() {
    let here = Embedding::of(&["trust"]).await;
    let stranger = Publisher::open().await;
    let Some(browser) = Browser::open(Look::default()).await else {
        return;
    };
    let element = here.snippet("trust", "element").await;
    stranger.publish(&element, &here.road.origin);
    browser.goto(&stranger.article()).await;
    wait_for_module(&browser).await;
    choose_and_send(&browser, 1).await;
    wait_for_result(&browser, "answer on the poll’s page").await;
    assert_eq!(here.ballots().await, 0);
    let short = here.snippet("trust", "short").await;
    stranger.publish(&short, &here.road.origin);
    browser.goto(&stranger.article()).await;
    wait_for_result(&browser, "Answer the poll").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embed_survives_being_moved_and_a_second_copy_of_the_module() {
    let here = Embedding::of(&["trust"]).await;
    let Some(browser) = opened(&here, "element").await else {
        return;
    };
    let copy = format!(
        "import('{}/embed/poll.js?copy').then(() => done('fine'), e => done(String(e)));",
        here.road.origin
    );
    assert_eq!(browser.run_async(&copy).await, "fine");
    let moved = "const poll = document.querySelector('canvass-poll');
                 document.querySelector('main').prepend(poll);";
    browser.run(moved).await;
    choose_and_send(&browser, 1).await;
    wait_for_result(&browser, "Your answer has been counted").await;
    let state = browser
        .run(
            "const poll = document.querySelector('canvass-poll');
             const before = [!!poll.live];
             poll.remove();
             before.push(!!poll.live);
             document.querySelector('main').append(poll);
             before.push(!!poll.live, poll.shadowRoot.querySelectorAll('table').length);
             return before;",
        )
        .await;
    assert_eq!(
        state,
        json!([true, false, true, 1]),
        "listens only while it stands in the page"
    );
    assert_eq!(here.ballots().await, 1);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_iframe_grows_to_its_poll_and_believes_nobody_else() {
    let here = Embedding::of(&["trust"]).await;
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    here.publish(&here.snippet("trust", "iframe").await);
    browser.goto(&here.publisher.article()).await;
    let high = "const frame = document.querySelector('iframe');
                return [Number(frame.height), frame.src];";
    let told = browser.run(high).await[0].as_f64().unwrap();
    browser.client.clone().enter_frame(0).await.unwrap();
    wait_for_module(&browser).await;
    let inside = browser
        .run("return document.documentElement.offsetHeight;")
        .await
        .as_f64()
        .unwrap();
    println!("the frame is {told} px high, the poll in it {inside} px");
    assert!(
        (inside - told).abs() < 80.0,
        "{told} px said, {inside} px drawn"
    );
    choose_and_send(&browser, 2).await;
    wait_for_result(&browser, "Your answer has been counted").await;
    browser.client.clone().enter_parent_frame().await.unwrap();
    browser.picture("embed-iframe").await;
    assert_eq!(browser.moved().await, 0.0);
    let before = browser.run(high).await[0].as_f64().unwrap();
    assert!(before >= inside.min(told));
    // The page's origin is not the poll's, so a height that the page sends is ignored.
    let forged = "postMessage({canvassHeight: 4000}, '*'); setTimeout(() => done(document.querySelector('iframe').height), 300);";
    let after = browser.run_async(forged).await;
    assert_ne!(after, "4000");
    assert_eq!(here.ballots().await, 1);
    browser.close().await;
}

/// WordPress's frame for unknown sites allows scripts and nothing else. It can follow a link.
#[tokio::test(flavor = "multi_thread")]
async fn in_a_frame_that_sends_no_forms_the_button_is_a_link() {
    let here = Embedding::of(&["trust"]).await;
    let html = format!(
        "<iframe sandbox=\"allow-scripts\" src=\"{}/embed/p/trust#?secret=abc123\" height=\"600\"></iframe>",
        here.road.origin
    );
    here.publish(&html);
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    browser.goto(&here.publisher.article()).await;
    browser
        .run("window.heard = []; addEventListener('message', e => heard.push(e.data));")
        .await;
    browser.client.clone().enter_frame(0).await.unwrap();
    wait_for_module(&browser).await;
    browser.click("[name=option]").await;
    browser.click("form button").await;
    browser.client.clone().enter_parent_frame().await.unwrap();
    let heard = browser
        .run_async(
            "const wait = () => { const link = heard.find(m => m.message === 'link'); link ? done(link) : setTimeout(wait, 20); }; wait();",
        )
        .await;
    assert_eq!(heard["secret"], "abc123");
    assert!(
        heard["value"].as_str().unwrap().ends_with("/p/trust"),
        "{heard}"
    );
    browser.close().await;
}

/// A proxy whose server is away answers for it, and the browser gives a stream up for good then: the element does not.
#[tokio::test(flavor = "multi_thread")]
async fn an_embed_follows_its_result_again_after_the_server_was_away() {
    let here = Embedding::of(&["trust"]).await;
    here.road.trouble("GET /p/trust/live", Trouble::Full(1));
    let Some(browser) = opened(&here, "element").await else {
        return;
    };
    choose_and_send(&browser, 1).await;
    wait_for_result(&browser, "Your answer has been counted").await;
    let asked = || {
        let seen = here.road.seen();
        seen.iter().filter(|line| line.ends_with("/live")).count()
    };
    let waiting = Waiting::until("the stream is asked for again");
    while asked() < 2 {
        waiting.still(here.road.seen()).await;
    }
    browser.close().await;
}

/// Each error is in its own question, and the focus on the first that has one.
#[tokio::test(flavor = "multi_thread")]
async fn an_embed_says_in_each_question_what_is_wrong() {
    let here = Embedding::of(&[]).await;
    let several = |question: &mut QuestionText| {
        (question.kind, question.max_choices) = (Kind::Several, 2);
    };
    here.app
        .poll_with("trust", |poll| {
            several(&mut poll.questions[0]);
            poll.questions.push(poll.questions[0].clone());
            poll.questions.push(poll.questions[0].clone());
        })
        .await;
    here.app
        .poll_with("capital", |poll| {
            let question = &mut poll.questions[0];
            (question.kind, question.max_choices) = (Kind::Ranked, 0);
        })
        .await;
    let errors = "const root = document.querySelector('form') ?? document.querySelector('canvass-poll').shadowRoot;
         const focus = document.activeElement.shadowRoot?.activeElement ?? document.activeElement;
         const described = focus.getAttribute('aria-describedby');
         return [[...root.querySelectorAll('fieldset')].map(f => f.querySelector('legend + .canvass-error')?.textContent ?? ''),
                 focus.name, described && root.querySelector('#' + CSS.escape(described)).textContent,
                 root.querySelectorAll('p.canvass-error').length];";
    let send = "const root = document.querySelector('form') ?? document.querySelector('canvass-poll').shadowRoot;
         root.querySelector('[value=\"4\"]').click(); root.querySelector('button').click();";
    let missing = "Choose an answer.";
    for which in ["element", "short"] {
        let Some(browser) = opened(&here, which).await else {
            return;
        };
        if which == "short" {
            wait_for_result(&browser, "need an answer").await;
        }
        browser.run(send).await;
        wait::until("the focus is on the first error", async || {
            browser.run(errors).await[1] == "option.1"
        })
        .await;
        assert_eq!(
            browser.run(errors).await,
            json!([[missing, "", missing], "option.1", missing, 2]),
            "{which}"
        );
        browser.picture(&format!("embed-errors-{which}")).await;
        browser.assert_accessible().await;
        browser.close().await;
    }
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    browser.goto(&here.app.url("/embed/p/capital")).await;
    wait_for_module(&browser).await;
    browser.click("canvass-poll button").await;
    let unranked = "Give at least your first choice a rank.";
    browser.wait_for_text(unranked).await;
    assert_eq!(
        browser.run(errors).await,
        json!([[unranked], "rank.1", unranked, 1])
    );
    browser.picture("embed-errors-ranked").await;
    browser.close().await;
}
