//! The built-in mailbox: captured mails as a mail client shows them.

use canvass::config::Transport;
use canvass::types::Secret;

use crate::support::app::TestApp;
use crate::support::browser::{Browser, Look};
use crate::support::dump::Dump;

/// A mail with both parts; its links and pictures lead to `origin`, its script nowhere.
fn letter(origin: &str) -> String {
    format!(
        "From: The Daily <news@example.org>\r\nTo: Anna <anna@example.org>\r\nSubject: Please <confirm>\r\n\
         Date: Mon, 2 Mar 2026 09:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\
         List-Unsubscribe: <{origin}/unsubscribe/abc?x=1>, <mailto:leave@example.org>\r\n\
         List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/alternative; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nOpen {origin}/mailbox?to=here.\r\n<b>not bold</b>\r\n\
         --b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<!doctype html><html><head><title>x</title></head><body>\
         <p>The HTML part</p><a id=\"go\" href=\"{origin}/mailbox?to=here\">Confirm</a>\
         <img alt=\"\" src=\"https://tracker.example/p.gif\">\
         <script>document.body.textContent = 'ran'</script></body></html>\r\n--b--\r\n"
    )
}

async fn capture(app: &TestApp) -> String {
    let raw = letter(&app.app.config.origin());
    let id = app.capture("anna@example.org", "Please <confirm>", raw.as_bytes());
    format!("/mailbox/{}", id.await)
}

#[tokio::test]
async fn an_empty_mailbox_says_what_will_come() {
    let app = TestApp::start().await;
    let page = app.reader().get("/mailbox").await.expect(200);
    page.says("No mail yet");
}

#[tokio::test]
async fn mails_are_listed_newest_first_and_found_by_recipient() {
    let app = TestApp::start().await;
    for n in 1..=60 {
        let to = format!("Reader_{n}@example.org");
        app.capture(&to, &format!("Mail {n}"), b"Subject: x\r\n\r\n")
            .await;
    }
    let reader = app.reader();
    let page = reader.get("/mailbox").await.expect(200);
    let subjects = page.all(".mail-subject");
    assert_eq!((subjects.len(), subjects[0].as_str()), (50, "Mail 60"));
    let older = reader.follow(&page, "Older mails").await.expect(200);
    let subjects = older.all(".mail-subject");
    assert_eq!((subjects.len(), subjects[9].as_str()), (10, "Mail 1"));
    assert!(!older.body.contains("Older mails"));

    let search = page.form("form[role=search]").fill("to", "reader_6");
    let found = reader.submit(search).await.expect(200);
    assert_eq!(found.all(".mail-subject"), ["Mail 60", "Mail 6"]);
    let found = reader.get("/mailbox?to=%25").await.expect(200);
    found.says("No mail to \u{201c}%\u{201d}");
    reader.get("/mailbox?before=x").await.expect(200);
    reader.get("/mailbox?to=%00").await.expect(400);
}

#[tokio::test]
async fn a_mail_is_shown_as_mail_programs_do() {
    let app = TestApp::start().await;
    let mail = capture(&app).await;
    let reader = app.reader();
    let list = reader.get("/mailbox").await.expect(200);
    let page = reader.follow(&list, "Please <confirm>").await.expect(200);
    let page = page
        .says("The Daily <news@example.org>")
        .says("Anna <anna@example.org>")
        .says("Mon 2 Mar 2026, 09:00")
        .says("mailto:leave@example.org");
    assert_eq!(page.attributes("iframe", "src"), [format!("{mail}/html")]);
    assert_eq!(
        page.attributes("a[aria-current]", "href"),
        [format!("{mail}?view=html")]
    );

    let text = reader.follow(&page, "?view=text").await.expect(200);
    let text = text.says("<b>not bold</b>");
    let link = format!("{}/mailbox?to=here", app.app.config.origin());
    assert_eq!(text.attributes("pre a", "href"), [link]);
    let headers = reader.follow(&page, "?view=headers").await.expect(200);
    let headers = headers.says("Message-ID: <1@example.org>");
    assert!(!headers.text().contains("not bold"));
    let source = reader.follow(&page, "?view=source").await.expect(200);
    let source = source.says("boundary=b").says("<p>The HTML part</p>");
    let download = reader.follow(&source, "Download").await.expect(200);
    assert_eq!(download.body, letter(&app.app.config.origin()));
    assert_eq!(
        download.headers["content-type"],
        "text/plain; charset=utf-8"
    );
    let name = download.headers["content-disposition"].to_str().unwrap();
    assert!(name.starts_with("attachment"), "{name}");
}

#[tokio::test]
async fn the_html_of_a_mail_can_do_nothing() {
    let app = TestApp::start().await;
    let mail = capture(&app).await;
    let page = app.reader().get(&mail).await.expect(200);
    let sandbox = &page.attributes("iframe", "sandbox")[0];
    assert!(
        !sandbox.contains("script") && !sandbox.contains("origin"),
        "{sandbox}"
    );

    let html = app.reader().get(&format!("{mail}/html")).await.expect(200);
    let policy = html.headers["content-security-policy"].to_str().unwrap();
    for rule in [
        "default-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",
    ] {
        assert!(policy.contains(rule), "{rule}: {policy}");
    }
    assert!(policy.contains(&format!("sandbox {sandbox}")), "{policy}");
    assert!(
        !policy.contains("script") && !policy.contains("https:"),
        "{policy}"
    );
    assert!(
        html.body
            .starts_with("<!doctype html><base target=\"_top\">")
    );

    let page = app.reader().follow(&page, "Load them").await.expect(200);
    let html = app.reader().get(&page.attributes("iframe", "src")[0]).await;
    let policy = html.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("img-src 'self' data: https:;"), "{policy}");
}

#[tokio::test]
async fn leaving_a_list_is_one_button_and_never_posts_elsewhere() {
    let app = TestApp::start().await;
    let mail = capture(&app).await;
    let form = app.reader().get(&mail).await.expect(200).the_form();
    assert_eq!(form.action.as_str(), app.url("/unsubscribe/abc?x=1"));
    assert_eq!(form.value("List-Unsubscribe"), Some("One-Click"));

    let raw = letter("https://other.example");
    let id = app.capture("anna@example.org", "x", raw.as_bytes()).await;
    let page = app
        .reader()
        .get(&format!("/mailbox/{id}"))
        .await
        .expect(200);
    let page = page.says("https://other.example/unsubscribe/abc?x=1");
    assert!(page.attributes("form", "action").is_empty());
}

#[tokio::test]
async fn what_is_no_mail_is_shown_as_it_came() {
    let app = TestApp::start().await;
    for raw in [
        &b""[..],
        b"\xff\xfe<script>\0",
        b"no header at all",
        b"\r\n\r\n--",
    ] {
        let id = app.capture("anna@example.org", "", raw).await;
        let page = app.reader().get(&format!("/mailbox/{id}?view=html")).await;
        let page = page.expect(200).says("cannot be read as a mail");
        assert!(page.attributes("iframe", "src").is_empty());
        assert!(!page.body.contains("<script>"));
        app.reader()
            .get(&format!("/mailbox/{id}/html"))
            .await
            .expect(404);
        app.reader()
            .get(&format!("/mailbox/{id}/source"))
            .await
            .expect(200);
    }
    for path in [
        "/mailbox/0",
        "/mailbox/x",
        "/mailbox/99999999999999999999/html",
    ] {
        app.reader().get(path).await.expect(404);
    }
}

#[tokio::test]
async fn only_its_own_button_empties_the_mailbox() {
    let app = TestApp::start().await;
    let mail = capture(&app).await;
    let before = Dump::of(&app.app.db).await;
    for path in ["", "?view=text", "?view=source", "/html", "/source"] {
        app.reader().get(&format!("{mail}{path}")).await.expect(200);
    }
    app.reader().get("/mailbox/clear").await.expect(405);
    let stranger = app.reader().with_header("origin", "https://evil.example");
    let stranger = stranger.with_header("sec-fetch-site", "cross-site");
    stranger.post("/mailbox/clear", &[]).await.expect(403);
    assert_eq!(
        before.differences(&Dump::of(&app.app.db).await, &[]),
        [""; 0]
    );

    let list = app.reader().get("/mailbox").await.expect(200);
    let after = app.reader().submit(list.the_form()).await.expect(200);
    after.says("No mail yet");
    app.reader().get(&mail).await.expect(404);
}

#[tokio::test]
async fn there_is_no_mailbox_where_mail_goes_elsewhere() {
    let app = TestApp::start_with(|config| {
        config.mail.transport = Transport::Smtp;
        config.mail.smtp_url = Secret::new("smtp://127.0.0.1:9");
    })
    .await;
    let mail = capture(&app).await;
    for path in [
        "/mailbox",
        mail.as_str(),
        &format!("{mail}/html"),
        &format!("{mail}/source"),
    ] {
        app.reader().get(path).await.expect(404);
    }
    app.reader().post("/mailbox/clear", &[]).await.expect(404);
    assert_eq!(app.count("SELECT COUNT(*) FROM captured_mail").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn links_in_a_mail_open_in_the_whole_window() {
    let app = TestApp::start().await;
    let mail = capture(&app).await;
    let Some(browser) = Browser::open(Look::phone()).await else {
        return;
    };
    browser.goto(&app.url("/mailbox")).await;
    browser.assert_no_sideways_scroll().await;
    browser.assert_accessible().await;
    browser.goto(&app.url(&format!("{mail}?view=text"))).await;
    browser.assert_no_sideways_scroll().await;
    browser.assert_accessible().await;
    browser.goto(&app.url(&mail)).await;
    let window = browser.client.window().await.unwrap();
    let frame = browser.find("iframe").await;
    frame.enter_frame().await.unwrap();
    browser.wait_for_text("The HTML part").await;
    browser.click("#go").await;
    browser.client.switch_to_window(window).await.unwrap();
    browser
        .wait_for_text("No mail to \u{201c}here\u{201d}")
        .await;
    browser.close().await;
}
