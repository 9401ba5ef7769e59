//! The built-in mailbox, as a reader without JavaScript uses it.

use canvass::config::{Config, Transport};
use canvass::types::Secret;

use crate::support::app::TestApp;
use crate::support::editor::signed_in;
use crate::support::single_mails::enqueue;

async fn send(app: &TestApp, to: &str) {
    enqueue(app, to).await;
    app.mail_to(to, 1).await;
}

async fn get(url: &str) -> (u16, reqwest::header::HeaderMap, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(url).send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    (status, headers, answer.text().await.unwrap())
}

#[tokio::test]
async fn a_captured_mail_is_shown_in_four_ways() {
    let app = TestApp::start().await;
    let (status, _, empty) = get(&app.url("/mailbox")).await;
    assert_eq!(status, 200);
    assert!(empty.contains("No mail yet"));
    send(&app, "ada@example.org").await;
    let (_, _, list) = get(&app.url("/mailbox")).await;
    assert!(list.contains("Confirm your subscription to Premium Digest"));
    assert!(list.contains("ada@example.org"));
    let (_, _, mail) = get(&app.url("/mailbox/1")).await;
    assert!(mail.contains("src=\"/mailbox/1/html\"") && mail.contains("sandbox="));
    let (_, headers, html) = get(&app.url("/mailbox/1/html")).await;
    let policy = headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; style-src 'unsafe-inline'"),
        "{policy}"
    );
    assert!(policy.contains("sandbox") && !policy.contains("allow-scripts"));
    assert!(html.contains("<base target=\"_top\">") && html.contains("Confirm my subscription"));
    for (show, expected) in [
        ("text", "To start receiving it"),
        ("headers", "Message-ID: &lt;"),
        ("source", "Content-Transfer-Encoding: quoted-printable"),
    ] {
        let (_, _, page) = get(&app.url(&format!("/mailbox/1?view={show}"))).await;
        assert!(page.contains(expected), "{show}: {page}");
    }
    assert_eq!(get(&app.url("/mailbox/99")).await.0, 404);
    assert_eq!(get(&app.url("/mailbox/x")).await.0, 404);
}

#[tokio::test]
async fn there_is_no_mailbox_on_a_server_that_sends() {
    let app = TestApp::start_with(|config| {
        config.mail.transport = Transport::Smtp;
        config.mail.smtp_url = Secret::new("smtp://127.0.0.1:1");
    })
    .await;
    for path in ["/mailbox", "/mailbox/1", "/mailbox/1/html"] {
        assert_eq!(get(&app.url(path)).await.0, 404, "{path}");
    }
}

/// Asserts that `path` redirects a visitor who is not signed in, optionally with a proxy's header.
async fn turned_away(app: &TestApp, path: &str, passed_on: Option<(&str, &str)>) {
    let client = reqwest::Client::builder().no_proxy();
    let client = client.redirect(reqwest::redirect::Policy::none());
    let mut asking = client.build().unwrap().get(app.url(path));
    if let Some((name, value)) = passed_on {
        asking = asking.header(name, value);
    }
    let answer = asking.send().await.unwrap();
    assert_eq!(answer.status(), 303, "{path} {passed_on:?}");
    let place = answer.headers()["location"].to_str().unwrap().to_owned();
    assert!(place.starts_with("/admin/sign-in"), "{place}");
    assert!(!answer.text().await.unwrap().contains("ada@"));
}

/// The mailbox holds everybody's mails, with links that confirm and erase. At a public URL, or listening on all
/// interfaces, others can reach it.
#[tokio::test]
async fn a_mailbox_that_others_can_reach_is_for_editors() {
    let named = |config: &mut Config| {
        config.http.public_url = "http://letters.news.example".to_owned();
    };
    let bound = |config: &mut Config| {
        config.http.public_url = "http://localhost:8080".to_owned();
        config.http.bind = "0.0.0.0:8080".parse().unwrap();
    };
    for reachable in [named, bound] {
        let app = TestApp::start_with(reachable).await;
        send(&app, "ada@example.org").await;
        for path in [
            "/mailbox",
            "/mailbox/1",
            "/mailbox/1/html",
            "/mailbox/1/source",
        ] {
            turned_away(&app, path, None).await;
        }
        let editor = signed_in(&app).await;
        editor
            .get(&app.url("/mailbox"))
            .await
            .expect(200)
            .says("ada@example.org");
    }
}

/// A proxy on the same machine forwards requests of others.
#[tokio::test]
async fn what_a_proxy_passes_on_is_not_local() {
    let app = TestApp::start().await;
    send(&app, "ada@example.org").await;
    assert_eq!(get(&app.url("/mailbox/1")).await.0, 200);
    for passed_on in [
        ("forwarded", "for=198.51.100.7"),
        ("x-forwarded-for", "198.51.100.7"),
        ("x-real-ip", "198.51.100.7"),
    ] {
        turned_away(&app, "/mailbox/1", Some(passed_on)).await;
    }
}

/// A site can give one of its names the address of the visitor's own machine; its page may then read the answers.
#[tokio::test]
async fn a_site_whose_name_leads_here_reads_no_mail() {
    let app = TestApp::start().await;
    send(&app, "ada@example.org").await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for own in [
        "localhost:8080",
        "LOCALHOST",
        "127.0.0.2:8080",
        "[::1]:8080",
    ] {
        let asking = client.get(app.url("/mailbox/1")).header("host", own);
        assert_eq!(asking.send().await.unwrap().status(), 200, "{own}");
    }
    for other in [
        "evil.example:8080",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "192.0.2.1",
    ] {
        turned_away(&app, "/mailbox/1", Some(("host", other))).await;
    }
}
