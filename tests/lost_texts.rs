//! A text that is not saved is given back on the error page, because browsers keep no page of ours.

use std::time::Duration;

use crate::digests_sending::written;
use crate::support::app::TestApp;
use crate::support::editor::{draft_poll, signed_in, signed_in_as};
use crate::support::page::Page;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const TEXT: &str = "A long evening’s work.\n\n</textarea><b>Bold</b>";

/// What the error page gives back.
fn kept(page: &Page) -> Vec<String> {
    page.all("textarea[readonly]")
}

#[tokio::test]
async fn a_text_outlives_the_session_in_which_it_was_begun() {
    let app = TestApp::start().await;
    app.newsletter("brief").await;
    let editor = signed_in(&app).await;
    let last = written(&editor, "Begun in time").await;
    let issue = last.url.path().trim_end_matches("/send").to_owned();
    let form = editor.get(&issue).await.expect(200).form("#composer");
    let form = form.fill("body", TEXT).button("then", "preview");
    // From an earlier sign-in of the same browser.
    let stale = editor.submit(form.clone().fill("csrf", "x")).await;
    let stale = stale.expect(403);
    assert!(
        kept(&stale)
            .iter()
            .any(|text| text.contains("</textarea><b>"))
    );
    assert_eq!(stale.attributes("main a.button", "href"), [issue.as_str()]);

    app.advance(8 * DAY);
    let csrf = form.value("csrf").unwrap().to_owned();
    let out = editor
        .submit(form)
        .await
        .expect(401)
        .says("You are signed out");
    assert_eq!(kept(&out).len(), 2, "subject and body: {:?}", kept(&out));
    assert!(out.body.contains("A long evening’s work.\n\n&lt;/textarea"));
    assert!(!out.body.contains(&csrf));
    assert_eq!(out.all("main label"), ["Subject", "Body"]);
    let next = out.attributes("main a.button", "href").remove(0);
    let sign_in = editor.get(&next).await.expect(200);
    assert_eq!(sign_in.attributes("input[name=next]", "value"), [issue]);
}

/// Without JavaScript as well, and by the Enter key, which presses the first button.
#[tokio::test]
async fn a_text_is_saved_by_whatever_leads_away_from_it() {
    let app = TestApp::start().await;
    app.newsletter("brief").await;
    let editor = signed_in(&app).await;
    let last = written(&editor, "Half done").await;
    let issue = last.url.path().trim_end_matches("/send").to_owned();
    let page = editor.get(&issue).await.expect(200);
    let buttons = page.attributes("#composer [type=submit]", "value");
    assert_eq!(buttons[0], "preview", "{buttons:?}");
    assert_eq!(page.attributes("#composer #views a", "href").len(), 0);
    let form = page.form("#composer").fill("body", "All of it.");
    let form = form.button("then", "view.phone");
    let page = editor.submit(form).await.expect(200).says("Saved.");
    assert_eq!(page.all("#body"), ["All of it."]);
    assert_eq!(page.all("#views [aria-current]"), ["Phone"]);
    assert_eq!(page.all("iframe.preview-phone").len(), 1);
}

#[tokio::test]
async fn a_text_for_an_issue_that_is_no_longer_a_draft_is_given_back() {
    let app = TestApp::start().await;
    app.newsletter("brief").await;
    let mara = signed_in(&app).await;
    let last = written(&mara, "As agreed").await;
    let issue = last.url.path().trim_end_matches("/send").to_owned();
    let omar = signed_in_as(&app, "omar@lindenpost.example").await;
    let form = omar.get(&issue).await.expect(200).form("#composer");
    let form = form.fill("body", TEXT).button("then", "preview");
    let txn = app.app.db.write_txn("test").await.unwrap();
    let scheduled = "UPDATE issue SET state = 1, scheduled_ms = 9999999999999";
    canvass::db::run(&*txn, scheduled, []).await.unwrap();
    txn.commit().await.unwrap();
    let page = omar.submit(form.clone()).await.expect(409);
    assert!(kept(&page).iter().any(|text| text.contains("long evening")));
    assert_eq!(page.attributes("main a.button", "href"), [issue.as_str()]);

    let txn = app.app.db.write_txn("test").await.unwrap();
    canvass::db::run(&*txn, "DELETE FROM issue", [])
        .await
        .unwrap();
    txn.commit().await.unwrap();
    let page = omar.submit(form).await.expect(404);
    assert!(kept(&page).iter().any(|text| text.contains("long evening")));
}

#[tokio::test]
async fn a_question_that_another_editor_overtook_is_given_back() {
    let app = TestApp::start().await;
    let mara = signed_in(&app).await;
    draft_poll(&mara, "tram", "Is the tram worth it?").await;
    let omar = signed_in_as(&app, "omar@lindenpost.example").await;
    let [maras, omars] = [&mara, &omar].map(|editor| editor.get("/admin/polls/tram/edit"));
    let (maras, omars) = (maras.await.expect(200), omars.await.expect(200));
    let fill = |page: &Page, question: &str| {
        let form = page.form("main form.form").fill("question.1", question);
        form.button("then", "save")
    };
    mara.submit(fill(&maras, "Is the bus worth it?"))
        .await
        .expect(200);
    let page = omar.submit(fill(&omars, "Is the ferry worth it?")).await;
    let page = page.expect(409).says("Somebody else changed this poll");
    assert!(kept(&page).contains(&"Is the ferry worth it?".to_owned()));
    assert!(kept(&page).contains(&"Yes".to_owned()), "{:?}", kept(&page));
    let to = page.attributes("main a.button", "href");
    assert_eq!(to, ["/admin/polls/tram"]);
}
