//! A second click on a button that creates something leads to what the first one has made.

use std::time::Duration;

use canvass::db::{Backend, run};

use crate::support::app::TestApp;
use crate::support::editor::signed_in;
use crate::support::reader::{Form, Reader};

const POLLS: &str = "SELECT COUNT(*) FROM poll";
const ISSUES: &str = "SELECT COUNT(*) FROM issue";

/// An app with a newsletter, and an editor.
async fn newsroom() -> (TestApp, Reader) {
    let app = TestApp::start().await;
    app.newsletter("premium").await;
    let editor = signed_in(&app).await;
    (app, editor)
}

async fn new_poll(editor: &Reader) -> Form {
    let page = editor.get("/admin/polls/new").await.expect(200);
    page.form("main form.form")
        .fill("question.1", "Is the tram worth it?")
        .with_options(1, &["Yes", "No"])
        .button("then", "save")
}

async fn new_issue(editor: &Reader) -> Form {
    let page = editor.get("/admin/issues/new").await.expect(200);
    page.form("form[action='/admin/issues']")
        .fill("subject", "Trust, measured")
}

#[tokio::test]
async fn a_poll_is_made_once() {
    let (app, editor) = newsroom().await;
    let form = new_poll(&editor).await;
    let form = form
        .fill("intro", "We ask once a year.")
        .choose("newsletter", "premium")
        .fill("closes", "2026-03-09T18:00");
    for _click in 0..2 {
        let page = editor.submit(form.clone()).await.expect(200);
        assert_eq!(page.url.path(), "/admin/polls/is-the-tram-worth-it");
    }
    assert_eq!(app.count(POLLS).await, 1);
    // Another poll under the same question, and the same one a while later, are meant.
    let other = form.clone().with_options(1, &["Yes", "No", "Perhaps"]);
    editor.submit(other).await.expect(200);
    assert_eq!(app.count(POLLS).await, 2);
    app.advance(Duration::from_secs(60));
    editor.submit(form).await.expect(200);
    assert_eq!(app.count(POLLS).await, 3);
}

#[tokio::test]
async fn an_issue_is_made_once() {
    let (app, editor) = newsroom().await;
    let form = new_issue(&editor).await;
    let first = editor.submit(form.clone()).await.expect(200);
    let second = editor.submit(form.clone()).await.expect(200);
    assert_eq!(first.url.path(), second.url.path());
    assert_eq!(app.count(ISSUES).await, 1);
    editor
        .submit(form.clone().fill("subject", "Another"))
        .await
        .expect(200);
    assert_eq!(app.count(ISSUES).await, 2);
    // Once somebody has begun to write, it is no longer what the button makes.
    let written = first
        .form("#composer")
        .fill("body", "Good morning.")
        .button("then", "send");
    editor.submit(written).await.expect(200);
    editor.submit(form).await.expect(200);
    assert_eq!(app.count(ISSUES).await, 3);
}

/// Each of them looks for what the other one makes before it is made.
#[tokio::test]
async fn what_two_clicks_make_at_the_same_time_is_made_once() {
    let (app, editor) = newsroom().await;
    let poll = new_poll(&editor).await;
    let issue = new_issue(&editor).await;
    for (table, rows, form) in [("poll", POLLS, poll), ("issue", ISSUES, issue)] {
        let held = app.app.db.write_txn("test").await.unwrap();
        if app.app.db.backend() == Backend::Postgres {
            // It can be read, but not written.
            let lock = format!("LOCK TABLE {table} IN SHARE MODE");
            run(&*held, lock, []).await.unwrap();
        }
        let (first, second, ()) =
            tokio::join!(editor.submit(form.clone()), editor.submit(form), async {
                app.wait_until_blocked(2).await;
                held.commit().await.unwrap();
            });
        let [first, second] = [first, second].map(|page| page.expect(200).url);
        assert_eq!(first, second, "the page of one {table}");
        assert_eq!(app.count(rows).await, 1);
    }
}
