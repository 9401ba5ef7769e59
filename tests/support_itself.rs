//! The support code behaves like the real things that it stands in for.

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::response::{Html, Redirect};
use axum::routing::{get, post};

use crate::support::browser::{Browser, Look};
use crate::support::inbox::Mail;
use crate::support::reader::Reader;

const FORM: &str = r#"<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>A form</title><body><main><h1>A form</h1>
<form method="post" action="/answer?a=1"><input type="hidden" name="time" value="42">
<fieldset><legend>Which?</legend><label><input type="radio" name="option" value="1"> One</label>
<label><input type="radio" name="option" value="2" checked> Two</label></fieldset>
<label>Address <input type="email" name="email" value="r@example.org"></label>
<label><input type="checkbox" name="consent" value="yes"> Yes</label>
<label>List <select name="list"><option value="a">A<option value="b" selected>B</select></label>
<label>Words <textarea name="words">
one
two</textarea></label><button name="go" value="now">Answer</button></form>
<a href="/cookie">Where to</a></main>"#;

async fn site() -> std::net::SocketAddr {
    let app = Router::new()
        .route("/", get(|| async { Html(FORM) }))
        .route(
            "/answer",
            post(|headers: HeaderMap, body: Bytes| async move {
                let seen = |name: &str| format!("{:?}", headers.get(name));
                let body = String::from_utf8_lossy(&body).into_owned();
                let marks = [seen("origin"), seen("sec-fetch-site"), seen("referer")];
                (
                    [("set-cookie", "voter=7")],
                    format!("{body} {}", marks.join(" ")),
                )
            }),
        )
        .route(
            "/away",
            get(|| async { Redirect::to("https://news.example/cookie?x=1") }),
        )
        .route(
            "/cookie",
            get(|headers: HeaderMap| async move { format!("{:?}", headers.get("cookie")) }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

#[tokio::test]
async fn a_form_is_sent_as_a_browser_sends_it() {
    let reader = Reader::new(site().await, "https://news.example");
    let form = reader.get("/").await.expect(200).the_form();
    assert_eq!(form.value("time"), Some("42"));
    let form = form.choose("option", "1").tick("consent", "yes");
    let page = reader.submit(form).await.expect(200);
    assert_eq!(
        page.body,
        "time=42&email=r%40example.org&list=b&words=one%0D%0Atwo&option=1&consent=yes \
         Some(\"https://news.example\") Some(\"same-origin\") Some(\"https://news.example/\")"
    );
    let page = reader.get("/away").await.expect(200);
    assert_eq!(page.body, "Some(\"voter=7\")", "the cookie goes along");
}

#[tokio::test]
async fn a_reader_reads_follows_and_posts() {
    let reader = Reader::new(site().await, "https://news.example");
    let page = reader.get("https://news.example/").await;
    let page = page.expect(200).says("Which? One Two Address");
    assert_eq!(page.all("legend"), ["Which?"]);
    assert_eq!(page.attributes("input[type=radio]", "value"), ["1", "2"]);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(page.links().len(), 1);

    let next = reader.follow(&page, "Where").await.expect(200);
    assert_eq!(next.body, "None");

    let form = page.form("form").tick("consent", "yes").untick("consent");
    let sent = reader.submit(form.button("go", "now")).await.expect(200);
    assert!(sent.body.contains("&go=now") && !sent.body.contains("consent"));

    let reader = reader.with_header("cookie", "a=b");
    assert_eq!(reader.get("/cookie").await.body, "Some(\"a=b\")");
    let sent = reader.post("/answer", &[("option", "9"), ("option", "10")]);
    assert!(sent.await.body.starts_with("option=9&option=10 "));
}

#[test]
fn a_mail_is_read_as_its_recipient_reads_it() {
    let mail = Mail::parse(
        b"From: News <n@example.org>\r\nTo: r@example.net\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\
          X-Long: one\r\n two\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\
          Content-Type: text/plain; charset=utf-8\r\n\r\nGo to <https://news.example/confirm/abc>.\r\n--b\r\n\
          Content-Type: text/html; charset=utf-8\r\n\r\n<a href=\"https://news.example/manage/x\">m</a>\r\n--b--\r\n",
    );
    assert_eq!(
        (mail.from.as_str(), mail.to.as_str()),
        ("n@example.org", "r@example.net")
    );
    assert_eq!(mail.subject, "Gr\u{fc}\u{df}e");
    assert_eq!(mail.header("x-long").as_deref(), Some("one two"));
    assert_eq!(mail.link("/confirm/"), "https://news.example/confirm/abc");
    assert_eq!(mail.link("/manage/"), "https://news.example/manage/x");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_opens_looks_and_presses_keys() {
    let url = format!("http://{}/", site().await);
    let Some(browser) = Browser::open(Look::phone().dark()).await else {
        return;
    };
    browser.goto(&url).await;
    let seen = browser
        .run("return [innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]")
        .await;
    assert_eq!(seen, serde_json::json!([375, true]));
    browser.assert_no_sideways_scroll().await;
    browser.assert_accessible().await;
    browser.click("[name=email]").await;
    browser.press(&['\u{e010}', 'x', '\u{e007}']).await;
    browser.wait_for_text("r%40example.orgx").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_without_javascript_runs_none() {
    let Some(browser) = Browser::open(Look::default().without_javascript()).await else {
        return;
    };
    browser
        .goto("data:text/html,<p>plain<script>document.body.append(' scripted')</script>")
        .await;
    assert_eq!(browser.text().await.trim(), "plain");
    browser.close().await;
}
