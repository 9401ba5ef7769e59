//! Past issues on the web, and the polls they ask.

use canvass::db;
use reqwest::Method;
use serde_json::json;

use crate::digests_api::Script;
use crate::support::app::TestApp;
use crate::support::issues::readers_at;
use crate::support::page::Page;

/// Sends an issue of "brief" with this text to one reader.
async fn sent(app: &TestApp, body: &str) {
    let newsletter = app.newsletter("brief").await;
    readers_at(app, &newsletter, "example.org", 1).await;
    let order = json!({ "newsletter": "brief", "subject": "Polls", "body": body });
    let script = Script::at(app).await;
    let (_, made) = script.post("/issues", "", order).await;
    let send = format!("/issues/{}/send", made["id"]);
    let (status, told) = script.call(Method::POST, &send, "", None).await;
    assert_eq!(status, 202, "{told}");
    script.until(&made["id"], "finished").await;
}

/// The newest issue of "brief" on the web.
async fn newest(app: &TestApp) -> Page {
    let reader = app.reader();
    let list = reader.get("/archive/brief").await.expect(200);
    let issue = list.attributes("main a[href^='/archive/brief/']", "href")[0].clone();
    reader.get(&issue).await.expect(200)
}

#[tokio::test]
async fn a_picture_of_another_site_is_a_link() {
    let app = TestApp::start_with(|config| {
        config.http.embed_origins = vec!["*".to_owned(), "https://news.example".to_owned()];
    })
    .await;
    let body = "![Ours](/assets/icon.svg)\n\n![Theirs](https://news.example/a.png)\n\n\
                ![Boats](https://other.example/b.png)\n\n\
                <img src=\"/\\other.example/c.png\" alt=\"Hidden\">";
    sent(&app, body).await;
    let page = newest(&app).await;
    assert_eq!(
        page.attributes("main img", "src"),
        ["/assets/icon.svg", "https://news.example/a.png"]
    );
    for (address, words) in [
        ("https://other.example/b.png", "Boats"),
        ("/\\other.example/c.png", "Hidden"),
    ] {
        let link = (address.to_owned(), words.to_owned());
        assert!(page.links().contains(&link), "{:?}", page.links());
    }
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("img-src 'self' https://news.example;"),
        "{policy}"
    );
}

#[tokio::test]
async fn the_archive_names_the_polls_of_an_issue() {
    let app = TestApp::start().await;
    for (slug, asked) in [("first", "Tea & milk?"), ("second", "Or coffee?")] {
        app.poll_with(slug, |poll| poll.questions[0].text = asked.to_owned())
            .await;
    }
    let body = "{{poll:second}}\n\n{{poll:first}}";
    sent(&app, body).await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    // A poll that has been deleted since the issue was sent.
    let body = format!("{body}\n\n{{{{poll:missing}}}}");
    let sql = "UPDATE issue SET body = $1";
    db::run(&*txn, sql, [body.into()]).await.unwrap();
    txn.commit().await.unwrap();

    let reader = app.reader();
    let never = reader.get("/archive/brief/2026-01-01-you-were-drawn").await;
    never.expect(404).says("some readers only");
    let page = newest(&app).await;
    let named: Vec<(String, String)> = page
        .attributes("main a[href^='/p/']", "href")
        .into_iter()
        .zip(page.all("main a[href^='/p/'] bdi"))
        .collect();
    let named: Vec<(&str, &str)> = named
        .iter()
        .map(|(href, text)| (href.as_str(), text.as_str()))
        .collect();
    assert_eq!(
        named,
        [
            ("/p/second", "Or coffee?"),
            ("/p/first", "Tea & milk?"),
            ("/p/missing", "The poll of this issue"),
        ]
    );
}
