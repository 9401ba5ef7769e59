//! Rules for every URL, including new ones.

use std::collections::BTreeSet;

use reqwest::{Client, Method, Response};

use crate::support::dump::Dump;
use crate::support::routes::{self, Route};
use crate::support::world::{Visitor, World};

/// Tables that a background task writes: views of polls are counted there, like lines of an access log (the tests of
/// the turnout check that a request itself adds none), and so are the numbers that all editors see once one of them has
/// looked (see the tests of the insight).
const VIEWS: &[&str] = &["poll_step", "kept_count"];

/// Scanners, prefetchers and crawlers open every link, with and without a session:
/// that must change nothing.
#[tokio::test(flavor = "multi_thread")]
async fn looking_changes_nothing() {
    let world = World::build().await;
    let before = Dump::of(&world.app.app.db).await;
    let mut wrong = Vec::new();
    for route in routes::all(&world.app).await {
        let mut opened = !route.methods.iter().any(|method| method == "get");
        let mut told = BTreeSet::new();
        for url in world.urls(&route) {
            for visitor in Visitor::ALL {
                for method in [Method::GET, Method::HEAD] {
                    let answer = world.send(visitor, method.clone(), &url).await;
                    opened |= answer.status().is_success();
                    told.insert(answer.status().as_u16());
                    if answer.status().is_server_error() {
                        wrong.push(format!("{visitor:?} {method} {url}: {}", answer.status()));
                    }
                }
            }
        }
        // A route that nobody could open was not tested.
        if !opened {
            wrong.push(format!("{}: opened for nobody: {told:?}", route.path));
        }
        let after = Dump::of(&world.app.app.db).await;
        for change in before.differences(&after, VIEWS) {
            wrong.push(format!("after GET and HEAD of {}: {change}", route.path));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_guarded() {
    let world = World::build().await;
    let mut wrong = Vec::new();
    for route in routes::all(&world.app).await {
        for url in world.urls(&route) {
            for visitor in Visitor::ALL {
                let answer = world.send(visitor, Method::GET, &url).await;
                wrong.extend(unguarded(&route, &answer));
            }
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The security headers that a response lacks.
fn unguarded(route: &Route, answer: &Response) -> Vec<String> {
    let text = |name: &str| {
        let value = answer.headers().get(name).and_then(|v| v.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let mut wrong = Vec::new();
    let mut must = |name: &str, good: bool| {
        if !good {
            let status = answer.status();
            wrong.push(format!(
                "{} ({status}): {name} is {:?}",
                route.path,
                text(name)
            ));
        }
    };
    let policy = text("content-security-policy");
    // A captured mail has its own styles, and is shown in a frame of ours without scripts and origin.
    let mail = route.path == "/mailbox/{id}/html"
        && policy.contains("frame-ancestors 'self'; sandbox ")
        && !policy.contains("script")
        && !policy.contains("allow-same-origin");
    // So does an issue that is being written, in a frame of the editors' page.
    let mail = mail
        || route.path == "/admin/issues/{id}/preview"
            && policy.contains("form-action 'none'; frame-ancestors 'self'")
            && !policy.contains("script");
    must(
        "content-security-policy",
        policy.contains("default-src 'none'") && (mail || !policy.contains("unsafe")),
    );
    // Only pages that are made for other sites may be framed.
    let embed = route.path.starts_with("/embed/");
    // A preview may be framed only by an editor's page, without scripts, forms and origin.
    let preview = route.path == "/admin/polls/{slug}/embed/preview"
        && policy.contains("form-action 'none'; frame-ancestors 'self'; sandbox")
        && !policy.contains("script");
    must(
        "content-security-policy",
        embed || mail || preview || policy.contains("frame-ancestors 'none'"),
    );
    must(
        "x-content-type-options",
        text("x-content-type-options") == "nosniff",
    );
    must("referrer-policy", !text("referrer-policy").is_empty());
    if answer.status().is_success() {
        must("content-type", !text("content-type").is_empty());
    }
    // A proxy must not buffer events.
    if text("content-type").starts_with("text/event-stream") {
        must("x-accel-buffering", text("x-accel-buffering") == "no");
    }
    // A personal page must not be stored in a shared cache.
    let private = [
        "/admin",
        "/api/",
        "/manage/",
        "/data/",
        "/confirm/",
        "/unsubscribe/",
        "/v/",
        "/c/",
    ];
    if private.iter().any(|p| route.path.starts_with(p)) && !route.path.contains("openapi") {
        must("cache-control", text("cache-control").contains("no-store"));
    }
    wrong
}

/// Every documented API route exists, and every API route is documented.
#[tokio::test(flavor = "multi_thread")]
async fn the_openapi_document_matches_the_router() {
    let world = World::build().await;
    let document = world
        .send(Visitor::Stranger, Method::GET, "/api/v1/openapi.json")
        .await;
    let document: serde_json::Value = document.json().await.unwrap();
    let mut described = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let path = path.strip_prefix("/api/v1").unwrap_or(path);
        for method in item.as_object().unwrap().keys() {
            described.push(format!("{method} {}", nameless(path)));
        }
    }
    let mut routed = Vec::new();
    for route in routes::all(&world.app).await {
        let Some(path) = route.path.strip_prefix("/api/v1") else {
            continue;
        };
        for method in &route.methods {
            if path != "/openapi.json" {
                routed.push(format!("{method} {}", nameless(path)));
            }
        }
    }
    described.sort();
    routed.sort();
    assert_eq!(described, routed);
}

/// A path with its parameters' names removed, which do not matter to callers.
fn nameless(path: &str) -> String {
    let segments = path.split('/');
    let segments = segments.map(|s| if s.starts_with('{') { "{}" } else { s });
    segments.collect::<Vec<_>>().join("/")
}

/// A URL accepts only its own methods, and says which those are.
#[tokio::test(flavor = "multi_thread")]
async fn other_methods_are_refused() {
    let world = World::build().await;
    let client = Client::builder().no_proxy().build().unwrap();
    let before = Dump::of(&world.app.app.db).await;
    for route in routes::all(&world.app).await {
        for method in ["PUT", "DELETE", "PATCH", "TRACE"] {
            let url = world.app.url(&world.urls(&route)[0]);
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let answer = client.request(method.clone(), &url).send().await.unwrap();
            assert_eq!(answer.status(), 405, "{method} {}", route.path);
            assert!(answer.headers().contains_key("allow"), "{}", route.path);
        }
    }
    let after = Dump::of(&world.app.app.db).await;
    assert_eq!(before.differences(&after, VIEWS), Vec::<String>::new());
}
