//! Polls embedded in another site's page, in a real browser: what readers see and do there.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::app::TestApp;
use crate::support::browser::{Browser, Look};
use crate::support::editor::signed_in;
use crate::support::elsewhere::{Publisher, Road};
use crate::support::wait::{self, Waiting};

const TAB: char = '\u{e004}';
const ENTER: char = '\u{e007}';
const DOWN: char = '\u{e015}';

/// An app whose polls a publisher embeds, and the proxy through which its readers reach it.
pub struct Embedding {
    pub app: TestApp,
    pub publisher: Publisher,
    pub road: Road,
}

impl Embedding {
    pub async fn of(polls: &[&str]) -> Self {
        let publisher = Publisher::open().await;
        let site = publisher.origin.clone();
        let app = TestApp::start_with(|config| {
            config.http.embed_origins = vec![site];
            // Little enough work that even a busy machine finishes before the page stops waiting for it.
            config.polls.proof_work = 300;
        })
        .await;
        let road = Road::to(app.address).await;
        for slug in polls {
            app.poll(slug).await;
        }
        Self {
            app,
            publisher,
            road,
        }
    }

    /// The snippet from the editors' page, with the proxy's origin in place of ours.
    pub async fn snippet(&self, poll: &str, which: &str) -> String {
        let editor = signed_in(&self.app).await;
        let page = editor.get(&format!("/admin/polls/{poll}/embed")).await;
        let text = page.expect(200).all(&format!("#{which}")).remove(0);
        text.replace(&*self.app.app.config.origin(), &self.road.origin)
    }

    /// Publishes the HTML under the strictest content security policy.
    pub fn publish(&self, html: &str) {
        self.publisher.publish(html, &self.road.origin);
    }

    /// Another reader answers `trust` on the poll's own page, without proof of work.
    pub async fn another_answers(&self, option: &str) {
        let reader = self.app.reader();
        let answer = [("option", option)];
        reader.post("/p/trust", &answer).await.expect(200);
    }

    pub async fn ballots(&self) -> i64 {
        self.app.count("SELECT COUNT(*) FROM ballot").await
    }
}

/// The text of the shadow tree and the focused element in it, once it contains `words`.
pub async fn wait_for_result(browser: &Browser, words: &str) -> Value {
    let waiting = Waiting::until(&format!("the result says {words:?}"));
    loop {
        let seen = browser
            .run(
                "const root = document.querySelector('canvass-poll')?.shadowRoot;
                 return root && {text: root.textContent, focus: root.activeElement?.getAttribute('aria-label') ?? null};",
            )
            .await;
        if seen["text"].as_str().is_some_and(|t| t.contains(words)) {
            return seen;
        }
        waiting.still(&seen).await;
    }
}

pub async fn choose_and_send(browser: &Browser, key: usize) {
    let option = browser.find(&format!("canvass-poll [value='{key}']")).await;
    option.click().await.unwrap();
    let button = browser.find("canvass-poll button").await;
    button.click().await.unwrap();
}

/// Waits until the module has taken the element over.
pub async fn wait_for_module(browser: &Browser) {
    let ready = "return [...document.querySelectorAll('canvass-poll')].every(e => e.shadowRoot);";
    wait::until("the module has come", async || {
        browser.run(ready).await == true
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embed_is_answered_by_keyboard_and_the_result_takes_the_focus() {
    let here = Embedding::of(&["trust"]).await;
    here.publish(&here.snippet("trust", "element").await);
    let Some(browser) = Browser::open(Look::default()).await else {
        return;
    };
    browser.goto(&here.publisher.article()).await;
    wait_for_module(&browser).await;
    browser.assert_accessible().await;
    // Into the group, to its second option.
    browser.press(&[TAB, ' ', DOWN, ENTER]).await;
    let seen = wait_for_result(&browser, "Your answer has been counted").await;
    assert_eq!(seen["focus"], "Results");
    browser.assert_accessible().await;
    assert_eq!(here.ballots().await, 1);
    // On to "Change my answer": the form comes back with the focus on the chosen option.
    browser.press(&[TAB, ENTER]).await;
    let focus = browser
        .run("return [document.activeElement.name, document.activeElement.value];")
        .await;
    assert_eq!(focus, json!(["option", "2"]));
    browser.press(&[DOWN, ENTER]).await;
    wait_for_result(&browser, "Unsure your answer").await;
    assert_eq!(here.ballots().await, 1, "a changed answer is one ballot");
    browser.close().await;
}

/// What a screen reader announces: roles, names, and live regions.
#[tokio::test(flavor = "multi_thread")]
async fn an_embed_tells_a_screen_reader_what_it_is() {
    let here = Embedding::of(&["trust"]).await;
    here.publish(&here.snippet("trust", "element").await);
    let Some(browser) = Browser::open(Look::default()).await else {
        return;
    };
    browser.goto(&here.publisher.article()).await;
    wait_for_module(&browser).await;
    let question = "Do you trust the mainstream media?";
    let tree = tree(&browser).await;
    for (role, name) in [
        // That the only question needs an answer goes without saying.
        ("group", question),
        ("radio", "Yes"),
        ("radio", "No"),
        ("radio", "Unsure"),
        ("button", "Answer"),
        ("link", "See the results"),
        ("alert", ""),
        ("status", ""),
    ] {
        assert!(
            tree.contains(&(role.to_owned(), name.to_owned())),
            "no {role} {name:?} in {tree:#?}"
        );
    }
    choose_and_send(&browser, 1).await;
    wait_for_result(&browser, "Your answer has been counted").await;
    let tree = self::tree(&browser).await;
    for (role, name) in [
        ("group", "Results"),
        ("table", question),
        ("columnheader", "Readers"),
        ("rowheader", "Yes your answer"),
        ("button", "Change my answer"),
    ] {
        assert!(
            tree.contains(&(role.to_owned(), name.to_owned())),
            "no {role} {name:?} in {tree:#?}"
        );
    }
    browser.close().await;
}

async fn tree(browser: &Browser) -> Vec<(String, String)> {
    browser.devtools("Accessibility.enable", json!({})).await;
    let tree = browser
        .devtools("Accessibility.getFullAXTree", json!({}))
        .await;
    let nodes = tree["nodes"].as_array().unwrap();
    let text = |node: &Value, what: &str| {
        let text = node[what]["value"].as_str().unwrap_or_default();
        text.trim().to_owned()
    };
    nodes
        .iter()
        .filter(|node| node["ignored"] != true)
        .map(|node| (text(node, "role"), text(node, "name")))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embed_works_without_javascript_on_a_page_kept_for_a_month() {
    let here = Embedding::of(&["trust"]).await;
    let cached = here.snippet("trust", "element").await;
    let plain = here.snippet("trust", "form").await;
    here.app.advance(Duration::from_secs(30 * 24 * 60 * 60));
    for (i, html) in [cached.as_str(), &plain].iter().enumerate() {
        here.publish(html);
        let Some(browser) = Browser::open(Look::default().without_javascript()).await else {
            return;
        };
        browser.goto(&here.publisher.article()).await;
        browser.picture(&format!("embed-no-script-{i}")).await;
        browser.click("[value='2']").await;
        browser.click("form button").await;
        browser.wait_for_text("Your answer has been counted").await;
        browser.close().await;
    }
    assert_eq!(here.ballots().await, 2, "two browsers");
    // With JavaScript the module of the same cached page sends it.
    here.publish(&cached);
    let Some(browser) = Browser::open(Look::default()).await else {
        return;
    };
    browser.goto(&here.publisher.article()).await;
    wait_for_module(&browser).await;
    choose_and_send(&browser, 2).await;
    wait_for_result(&browser, "Your answer has been counted").await;
    assert_eq!(here.ballots().await, 3);
    browser.close().await;
}

/// A feed reader sends no origin, or one that was not configured: answering takes one more button.
#[tokio::test(flavor = "multi_thread")]
async fn an_embed_on_a_site_that_was_not_named_needs_one_more_tap() {
    let here = Embedding::of(&["trust"]).await;
    let stranger = Publisher::open().await;
    let form = here.snippet("trust", "form").await;
    let form = form.replace(&here.road.origin, &here.app.app.config.origin());
    stranger.publish(&form, &here.app.app.config.origin());
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    browser.goto(&stranger.article()).await;
    browser.click("[value='3']").await;
    browser.click("form button").await;
    browser.wait_for_text("has not been counted yet").await;
    assert_eq!(here.ballots().await, 0);
    browser.picture("embed-one-more-tap").await;
    browser.click("main form button").await;
    browser.wait_for_text("Your answer has been counted").await;
    assert_eq!(
        browser
            .find("tr.is-own .result-label")
            .await
            .text()
            .await
            .unwrap(),
        "Unsure"
    );
    assert_eq!(here.ballots().await, 1);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_polls_on_a_page_do_not_meet() {
    let here = Embedding::of(&["one", "two", "three"]).await;
    let mut page = here.snippet("one", "element").await;
    page.push_str(&here.snippet("two", "element").await);
    page.push_str(&here.snippet("three", "short").await);
    here.publish(&page);
    let Some(browser) = Browser::open(Look::default()).await else {
        return;
    };
    browser.goto(&here.publisher.article()).await;
    wait_for_module(&browser).await;
    for (n, key) in [(0, 1), (1, 2), (2, 3)] {
        let sent = format!(
            "const poll = document.querySelectorAll('canvass-poll')[{n}];
             const find = css => poll.querySelector(css) ?? poll.shadowRoot.querySelector(css);
             const again = () => {{
               if (!find('form')) return setTimeout(again, 20);
               find('[value=\"{key}\"]').click();
               find('button').click();
               const wait = () => poll.shadowRoot.querySelector('table')
                 ? done(poll.shadowRoot.querySelector('.own th').textContent) : setTimeout(wait, 20);
               wait();
             }};
             again();"
        );
        let own = browser.run_async(&sent).await;
        let label = ["Yes", "No", "Unsure"][n];
        assert_eq!(own, format!("{label} your answer"));
        assert_eq!(here.ballots().await, n as i64 + 1);
    }
    assert_eq!(
        here.app
            .count("SELECT COUNT(DISTINCT poll_id) FROM ballot")
            .await,
        3
    );
    browser.picture("embed-three").await;
    browser.close().await;
}

/// On other sites, as on our own pages, the key of a first answer begins with the time.
#[tokio::test(flavor = "multi_thread")]
async fn ballots_of_embeds_stand_together() {
    for which in ["element", "short"] {
        let here = Embedding::of(&["trust"]).await;
        here.publish(&here.snippet("trust", which).await);
        let Some(browser) = Browser::open(Look::default()).await else {
            return;
        };
        browser.goto(&here.publisher.article()).await;
        wait_for_module(&browser).await;
        let sent = "const poll = document.querySelector('canvass-poll');
             const find = css => poll.querySelector(css) ?? poll.shadowRoot.querySelector(css);
             const again = () => {
               if (!find('form')) return setTimeout(again, 20);
               find('[value=\"1\"]').click();
               find('button').click();
               const wait = () => poll.shadowRoot.querySelector('table') ? done(true) : setTimeout(wait, 20);
               wait();
             };
             again();";
        browser.run_async(sent).await;
        let sql = "SELECT voter_key FROM ballot";
        let row = canvass::db::fetch_one(here.app.app.db.read(), sql, []).await;
        let key: Vec<u8> = row.unwrap().unwrap().try_get("", "voter_key").unwrap();
        let cast = i64::from_be_bytes([0, 0, 0, 0, 0, key[0], key[1], key[2]]);
        let steps = canvass::types::Clock::System.now().0 / 8;
        let ago = (steps - cast).rem_euclid(1 << 24);
        assert!(ago < 60 * 125, "{which}: {ago} steps of 8 ms");
        browser.close().await;
    }
}
