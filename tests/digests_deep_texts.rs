//! Texts that nest too deeply: a recursion over one would abort the process, for all readers, each time it is shown.
//!
//! The app of these tests runs in this process, on threads with the same stack size as a server's: a stack overflow
//! would abort the whole test run.

use reqwest::Method;
use serde_json::json;

use crate::digests_api::Script;
use crate::support::app::TestApp;
use crate::support::editor::signed_in;
use crate::support::issues::readers_at;

fn deep() -> Vec<String> {
    vec![
        ">".repeat(3_000) + " x",
        "- ".repeat(3_000) + "x",
        "1. ".repeat(3_000) + "x",
        "*a ".repeat(3_000) + "b" + &"*".repeat(3_000),
        "<div>".repeat(3_000) + "x",
        "<div>".repeat(3_000) + "x" + &"</div>".repeat(3_000),
        "<b>".repeat(3_000) + "x",
        "<div></b>".repeat(3_000),
        "<blockquote><ul><li>".repeat(1_000),
        "<table><tr><td>".repeat(1_000),
        "a\n\n".to_owned() + &"<span title=\"<\">".repeat(3_000),
    ]
}

/// Gives every issue this body, as an older version would have.
async fn store(app: &TestApp, body: &str) {
    let txn = app.app.db.write_txn("test").await.unwrap();
    let sql = "UPDATE issue SET body = $1";
    canvass::db::run(&*txn, sql, [body.into()]).await.unwrap();
    txn.commit().await.unwrap();
}

#[tokio::test]
async fn a_text_that_nests_too_deeply_is_refused_with_the_limit() {
    let app = TestApp::start().await;
    app.newsletter("brief").await;
    let script = Script::at(&app).await;
    let editor = signed_in(&app).await;
    let new = editor.get("/admin/issues/new").await.expect(200);
    let form = new.form("form[action='/admin/issues']");
    let form = form.choose("newsletter", "brief").fill("subject", "Deep");
    let page = editor.submit(form).await.expect(200);
    let address = page.url.path().to_owned();
    let csrf = page.form("#composer").value("csrf").unwrap().to_owned();
    for body in deep() {
        let start = body.get(..20).unwrap();
        let order = json!({ "newsletter": "brief", "subject": "Deep", "body": body });
        let (status, told) = script.post("/issues", "", order).await;
        assert_eq!(status, 422, "{start}");
        assert!(
            told.to_string().contains("more than 50 levels deep"),
            "{told}"
        );
        let fields = [
            ("csrf", csrf.as_str()),
            ("revision", "1"),
            ("subject", "Deep"),
            ("body", &body),
        ];
        let refused = editor.post(&address, &fields).await.expect(422);
        assert!(
            refused
                .says("more than 50 levels deep")
                .body
                .contains("</html>"),
            "{start}"
        );
        let told = editor
            .post(&format!("{address}/autosave"), &fields)
            .await
            .expect(422);
        assert!(told.body.contains("more than 50 levels deep"), "{start}");
    }
    assert_eq!(
        app.count("SELECT COUNT(*) FROM issue WHERE body <> ''")
            .await,
        0
    );
}

#[tokio::test]
async fn a_deep_text_that_was_saved_before_harms_nobody() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("brief").await;
    readers_at(&app, &newsletter, "example.org", 1).await;
    let script = Script::at(&app).await;
    let editor = signed_in(&app).await;
    let order = json!({ "newsletter": "brief", "subject": "Deep", "body": "x" });
    let (_, made) = script.post("/issues", "", order).await;
    let id = made["id"].as_i64().unwrap();
    for body in deep() {
        let start = body.get(..20).unwrap();
        store(&app, &body).await;
        let told = script.status(&made["id"]).await;
        assert_eq!(told["state"], "draft", "{start}");
        let page = editor.get(&format!("/admin/issues/{id}")).await.expect(200);
        page.says("is nested more than 50 levels deep");
        for view in ["text", "desktop", "dark"] {
            let preview = format!("/admin/issues/{id}/preview?view={view}");
            let preview = editor.get(&preview).await.expect(200);
            assert!(
                preview.body.len() < 8 * body.len() + 20_000,
                "{start}: {view}"
            );
        }
        let send = format!("/issues/{id}/send");
        let (status, told) = script.call(Method::POST, &send, "", None).await;
        assert_eq!(status, 422, "{told}");
        assert!(
            told.to_string()
                .contains("is nested more than 50 levels deep"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_deep_text_that_was_sent_before_is_read_as_it_was_typed() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("brief").await;
    readers_at(&app, &newsletter, "example.org", 1).await;
    let script = Script::at(&app).await;
    let order = json!({ "newsletter": "brief", "subject": "Deep", "body": "x" });
    let (_, made) = script.post("/issues", "", order).await;
    let send = format!("/issues/{}/send", made["id"]);
    assert_eq!(script.call(Method::POST, &send, "", None).await.0, 202);
    script.until(&made["id"], "finished").await;
    let reader = app.reader();
    let list = reader.get("/archive/brief").await.expect(200);
    let issue = list.attributes("main a[href^='/archive/brief/']", "href")[0].clone();
    for body in deep() {
        store(&app, &body).await;
        let page = reader.get(&issue).await.expect(200);
        let line = body.lines().next().unwrap();
        let start: String = line.chars().take(40).collect();
        let shown = page.all("main").concat();
        assert!(shown.contains(start.trim()), "{start}: {shown}");
    }
}
