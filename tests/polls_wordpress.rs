//! What editors paste into WordPress: with permission to write any HTML, without it, and as a bare URL.

use std::collections::HashSet;

use serde_json::Value;

use crate::browser_embeds::Embedding;
use crate::support::app::TestApp;
use crate::support::browser::{Browser, Look};
use crate::support::editor::signed_in;
use crate::support::page::Page;

/// What WordPress 6 leaves of a post by an author without the capability `unfiltered_html`: the elements and
/// attributes of its list (`$allowedposttags` in wp-includes/kses.php), as far as our snippets use them. No form, no
/// field, no frame, no script.
fn as_an_authors(html: &str) -> String {
    let tags = [
        "a", "b", "br", "button", "div", "em", "fieldset", "i", "label", "legend", "p", "span",
        "strong",
    ];
    ammonia::Builder::empty()
        .tags(HashSet::from(tags))
        .add_tag_attributes("a", ["href", "rel", "target"])
        .add_tag_attributes("button", ["disabled", "name", "type", "value"])
        .add_tag_attributes("label", ["for"])
        .add_generic_attributes(["class", "id", "title", "lang", "dir"])
        .link_rel(None)
        .clean(html)
        .to_string()
}

async fn snippets(app: &TestApp) -> Page {
    let editor = signed_in(app).await;
    let page = editor.get("/admin/polls/trust/embed").await;
    page.expect(200)
}

/// A page of another site that contains this, as our browser reads it.
fn published(app: &TestApp, html: &str) -> Page {
    Page {
        url: app.url("/elsewhere").parse().unwrap(),
        status: reqwest::StatusCode::OK,
        headers: Default::default(),
        body: format!("<!doctype html><main>{html}</main>"),
    }
}

/// `wp_oembed_add_provider( 'https://…/p/*', 'https://…/oembed' );`: our URLs, and where to ask.
fn provider(line: &str) -> (String, String) {
    let call = line.strip_prefix("wp_oembed_add_provider( '").unwrap();
    let call = call.strip_suffix("' );").unwrap();
    let (format, endpoint) = call.split_once("', '").unwrap();
    (format.to_owned(), endpoint.to_owned())
}

/// What WordPress inserts in place of the URL, once the line in `functions.php` has registered us: unchanged.
async fn in_place_of_the_address(app: &TestApp, page: &Page) -> String {
    let (format, endpoint) = provider(&page.all("#provider")[0]);
    let url = page.all("#url").remove(0);
    let own = format.strip_suffix('*').expect("all polls");
    assert!(url.len() > own.len() && url.starts_with(own), "{url}");
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("maxwidth", "645"),
            ("maxheight", "968"),
            ("url", &url),
            ("dnt", "1"),
            ("format", "json"),
        ])
        .finish();
    let answer = app.reader().get(&format!("{endpoint}?{query}")).await;
    let said: Value = serde_json::from_str(&answer.expect(200).body).unwrap();
    assert_eq!(said["type"], "rich", "or WordPress takes no HTML of it");
    assert!(said["width"].as_u64().unwrap() <= 645);
    said["html"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn polls_the_address_alone_becomes_a_poll_in_wordpress() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    let page = snippets(&app).await;
    let html = in_place_of_the_address(&app, &page).await;
    let article = published(&app, &html);
    let frame = article.attributes("iframe", "src").remove(0);
    let reader = app.reader();
    let form = reader.get(&frame).await.expect(200).the_form();
    let form = form.choose("option", "2");
    reader
        .submit(form)
        .await
        .expect(200)
        .says("Your answer has been counted");
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 1);
    app.assert_the_count_agrees("trust").await;
}

/// If forms are stripped, the page must not claim that they work; a link does.
#[tokio::test]
async fn polls_authors_who_may_not_write_forms_have_a_way_that_works() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    let page = snippets(&app).await;
    for which in ["#element", "#form", "#iframe"] {
        let left = published(&app, &as_an_authors(&page.all(which)[0]));
        let parts = left.all("form, input, iframe, script");
        assert_eq!(parts, Vec::<String>::new(), "{which}");
    }
    let page = page.says("WordPress accepts neither forms nor scripts from anybody else");
    // The short element becomes the question, as a link to where it is answered.
    let left = published(&app, &as_an_authors(&page.all("#short")[0]));
    assert_eq!(left.text().trim(), "Do you trust the mainstream media?");
    let reader = app.reader();
    let poll = reader.follow(&left, "/p/trust").await.expect(200);
    let form = poll.the_form().choose("option", "1");
    reader
        .submit(form)
        .await
        .expect(200)
        .says("Your answer has been counted");
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 1);
}

/// In a browser, in the frame that WordPress creates for it, on another site.
#[tokio::test(flavor = "multi_thread")]
async fn polls_the_frame_in_wordpress_takes_an_answer() {
    let here = Embedding::of(&["trust"]).await;
    let page = snippets(&here.app).await;
    let html = in_place_of_the_address(&here.app, &page).await;
    here.publisher.publish(&html, &here.app.app.config.origin());
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    browser.goto(&here.publisher.article()).await;
    browser.client.clone().enter_frame(0).await.unwrap();
    browser.click("[name=option][value='2']").await;
    browser.click("form button").await;
    let shown = "const root = document.querySelector('canvass-poll').shadowRoot;
         const wait = () => root.textContent.includes('Your answer has been counted') ? done(true) : setTimeout(wait, 20);
         wait();";
    assert_eq!(browser.run_async(shown).await, true);
    assert_eq!(here.ballots().await, 1);
    browser.close().await;
}
