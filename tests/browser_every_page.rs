//! Every page in a real browser, in light and dark: axe-core finds nothing serious, nothing
//! is wider than a phone, and no third party is contacted.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::json;

use crate::support::browser::{Browser, Look};
use crate::support::editor::{EDITOR, PASSWORD, invited};
use crate::support::routes;
use crate::support::world::{Visitor, World};

/// The URLs of all pages that this visitor can open: everything that answers a GET with
/// HTML, including error pages.
async fn pages(world: &World, visitor: Visitor) -> BTreeSet<String> {
    let mut pages = BTreeSet::new();
    for route in routes::all(&world.app).await {
        for url in world.urls(&route) {
            let answer = world.send(visitor, Method::GET, &url).await;
            let kind = answer.headers().get("content-type").cloned();
            let html = kind.is_some_and(|k| k.as_bytes().starts_with(b"text/html"));
            let unknown = answer.status() == 404 && !url.ends_with("/unknown");
            // The body of a mail is in a sandbox where no script can run, not even axe-core.
            let policy = answer.headers().get("content-security-policy").cloned();
            let sandboxed = policy.is_some_and(|p| p.to_str().is_ok_and(|p| p.contains("sandbox")));
            if html && !unknown && !sandboxed && !answer.status().is_redirection() {
                pages.insert(url);
            }
        }
    }
    pages
}

/// A script that checks the headings: exactly one of the first level, and none skips a level.
const HEADINGS: &str = "const levels = [...document.querySelectorAll('h1, h2, h3, h4, h5, h6')]
    .filter(h => h.checkVisibility()).map(h => Number(h.tagName[1]));
    return [...levels.filter(level => level === 1).slice(1).map(() => 'a second h1'),
        ...(levels.includes(1) ? [] : ['no h1']),
        ...levels.filter((level, n) => level > (levels[n - 1] ?? 0) + 1).map(level => 'skips to h' + level)];";

async fn tour(world: &World, browser: &Browser, pages: &BTreeSet<String>) {
    for page in pages {
        browser.goto(&world.app.url(page)).await;
        browser.assert_accessible().await;
        browser.assert_no_sideways_scroll().await;
        // A poll in an article is among the article's own headings, and a mail has those that its editor wrote.
        if !page.contains("/embed") && !page.ends_with("/preview") {
            assert_eq!(browser.run(HEADINGS).await, json!([]), "{page}");
        }
        let foreign = browser
            .run(
                "return performance.getEntriesByType('resource').map(r => r.name)
                   .filter(name => !name.startsWith(location.origin));",
            )
            .await;
        assert_eq!(foreign, json!([]), "{page} asks a third party");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_pages_are_fit_for_everybody() {
    let world = World::build().await;
    let pages = pages(&world, Visitor::Stranger).await;
    assert!(pages.contains("/p/trust"), "{pages:?}");
    for look in [Look::default(), Look::phone().dark()] {
        let Some(browser) = Browser::open(look).await else {
            return;
        };
        tour(&world, &browser, &pages).await;
        browser.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn editors_pages_are_fit_for_everybody() {
    let world = World::build().await;
    let mut pages = pages(&world, Visitor::Editor).await;
    let readers = self::pages(&world, Visitor::Stranger).await;
    pages.retain(|page| page.starts_with("/admin") || !readers.contains(page));
    assert!(pages.len() > 3, "{pages:?}");
    for look in [Look::default(), Look::phone().dark()] {
        let Some(browser) = Browser::open(look).await else {
            return;
        };
        sign_in(&world, &browser).await;
        tour(&world, &browser, &pages).await;
        browser.close().await;
    }
}

/// Signs in through the set-up link, as an editor does the first time.
async fn sign_in(world: &World, browser: &Browser) {
    let link = invited(&world.app, EDITOR).await;
    browser.goto(&world.app.url(&link)).await;
    for field in ["password", "again"] {
        let field = browser.find(&format!("[name={field}]")).await;
        field.send_keys(PASSWORD).await.unwrap();
    }
    browser.click("main form button").await;
    browser.wait_for_path("/admin").await;
}
