//! Deleting the draft of a poll.

use canvass::db::run;

use super::support::app::TestApp;
use super::support::editor::signed_in;
use super::support::reader::{Page, Reader};
use super::support::world::every_kind;

const ROWS: [&str; 4] = ["poll", "poll_question", "poll_option", "poll_secret"];

/// The confirmation page that the draft's page shows before it deletes anything.
async fn asked(editor: &Reader, slug: &str) -> Page {
    let page = editor
        .get(&format!("/admin/polls/{slug}"))
        .await
        .expect(200);
    let asked = editor.submit(page.form("form[action$='/delete']")).await;
    asked.expect(200).says("Delete this draft?").says("Keep it")
}

async fn change(app: &TestApp, sql: &str) {
    let txn = app.app.db.write_txn("test").await.unwrap();
    run(&*txn, sql, []).await.unwrap();
    txn.commit().await.unwrap();
}

async fn draft(app: &TestApp, slug: &str) {
    app.poll_with(slug, every_kind).await;
    change(
        app,
        &format!("UPDATE poll SET state = 0 WHERE slug = '{slug}'"),
    )
    .await;
    app.app.polls.book.reread(slug).await.unwrap();
}

#[tokio::test]
async fn polls_a_draft_is_deleted_after_a_question_and_its_name_is_free() {
    let app = TestApp::start().await;
    let editor = signed_in(&app).await;
    draft(&app, "trust").await;
    draft(&app, "kept").await;
    let page = asked(&editor, "trust").await;
    assert_eq!(
        app.count("SELECT COUNT(*) FROM poll").await,
        2,
        "it asked first"
    );
    let kept = "SELECT COUNT(*) FROM poll_option WHERE poll_id = (SELECT id FROM poll WHERE slug = 'kept')";
    let options = app.count(kept).await;
    let list = editor.submit(page.form("form[action$='/delete']")).await;
    let list = list.expect(200).says("The draft is deleted.");
    assert!(list.all("a[href='/admin/polls/trust']").is_empty());
    for table in ROWS {
        let sql = format!(
            "SELECT COUNT(*) FROM {table} WHERE {}",
            match table {
                "poll" => "slug <> 'kept'",
                _ => "poll_id <> (SELECT id FROM poll WHERE slug = 'kept')",
            }
        );
        assert_eq!(app.count(&sql).await, 0, "{table}");
    }
    assert_eq!(app.count(kept).await, options, "another draft is as it was");
    for path in ["/admin/polls/trust", "/p/trust"] {
        editor.get(path).await.expect(404);
    }
    // Deleting twice reports that it is gone.
    editor
        .submit(page.form("form[action$='/delete']"))
        .await
        .expect(404);
    app.poll("trust").await;
    app.reader().get("/p/trust").await.expect(200);
}

#[tokio::test]
async fn polls_only_a_draft_as_it_was_seen_is_deleted() {
    let app = TestApp::start().await;
    let editor = signed_in(&app).await;
    // The poll was published after the confirmation page was shown.
    draft(&app, "opened").await;
    let page = asked(&editor, "opened").await;
    let sure = page.form("form[action$='/delete']");
    let poll = editor.get("/admin/polls/opened").await.expect(200);
    let poll = editor
        .submit(poll.form("form[action$='/publish']"))
        .await
        .expect(200);
    assert!(poll.all("form[action$='/delete']").is_empty());
    editor
        .submit(sure)
        .await
        .expect(409)
        .says("Only drafts can be deleted");
    app.reader().get("/p/opened").await.expect(200);

    // The draft was edited before the question was asked.
    draft(&app, "unread").await;
    let page = editor.get("/admin/polls/unread").await.expect(200);
    change(
        &app,
        "UPDATE poll SET revision = revision + 1 WHERE slug = 'unread'",
    )
    .await;
    let form = page.form("form[action$='/delete']");
    editor
        .submit(form)
        .await
        .expect(409)
        .says("was not deleted");

    // The draft was edited meanwhile, or answers were imported into it.
    let changes = [
        "UPDATE poll SET revision = revision + 1 WHERE slug = 'changed'",
        "INSERT INTO poll_import (source_key, poll_id, begun_ms) SELECT 'x', id, 1 FROM poll WHERE slug = 'changed'",
    ];
    draft(&app, "changed").await;
    for sql in changes {
        let page = asked(&editor, "changed").await;
        change(&app, sql).await;
        editor
            .submit(page.form("form[action$='/delete']"))
            .await
            .expect(409)
            .says("was not deleted");
        editor.get("/admin/polls/changed/preview").await.expect(200);
    }
}
