//! The built-in mailbox, as a reader without JavaScript uses it.

use canvass::config::Transport;
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

/// With a public address it holds everybody's mails, with links that confirm and erase.
#[tokio::test]
async fn a_mailbox_that_others_can_reach_is_for_editors() {
    let app = TestApp::start_with(|config| {
        config.http.public_url = "http://letters.news.example".to_owned();
    })
    .await;
    send(&app, "ada@example.org").await;
    for path in [
        "/mailbox",
        "/mailbox/1",
        "/mailbox/1/html",
        "/mailbox/1/source",
    ] {
        let client = reqwest::Client::builder();
        let client = client
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        let answer = client
            .build()
            .unwrap()
            .get(app.url(path))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 303, "{path}");
        let place = answer.headers()["location"].to_str().unwrap().to_owned();
        assert!(place.starts_with("/admin/sign-in"), "{place}");
        assert!(!answer.text().await.unwrap().contains("ada@"));
    }
    let editor = signed_in(&app).await;
    editor
        .get(&app.url("/mailbox"))
        .await
        .expect(200)
        .says("ada@example.org");
}
