//! Past issues on the web, and the polls they ask.

use canvass::db;
use reqwest::Method;
use serde_json::json;

use crate::digests_api::Script;
use crate::support::app::TestApp;
use crate::support::issues::readers_at;

#[tokio::test]
async fn the_archive_names_the_polls_of_an_issue() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("brief").await;
    readers_at(&app, &newsletter, "example.org", 1).await;
    for (slug, asked) in [("first", "Tea & milk?"), ("second", "Or coffee?")] {
        app.poll_with(slug, |poll| poll.questions[0].text = asked.to_owned())
            .await;
    }
    let body = "{{poll:second}}\n\n{{poll:first}}";
    let order = json!({ "newsletter": "brief", "subject": "Polls", "body": body });
    let script = Script::at(&app).await;
    let (_, made) = script.post("/issues", "", order).await;
    let send = format!("/issues/{}/send", made["id"]);
    let (status, told) = script.call(Method::POST, &send, "", None).await;
    assert_eq!(status, 202, "{told}");
    script.until(&made["id"], "finished").await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    // A poll that has been deleted since the issue was sent.
    let body = format!("{body}\n\n{{{{poll:missing}}}}");
    let sql = "UPDATE issue SET body = $1";
    db::run(&*txn, sql, [body.into()]).await.unwrap();
    txn.commit().await.unwrap();

    let reader = app.reader();
    let never = reader.get("/archive/brief/2026-01-01-you-were-drawn").await;
    never.expect(404).says("some readers only");
    let list = reader.get("/archive/brief").await.expect(200);
    let issue = list.attributes("main a[href^='/archive/brief/']", "href")[0].clone();
    let page = reader.get(&issue).await.expect(200);
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
