//! An editor: invited, with a password, signed in.

use canvass::admin;
use canvass::types::EmailAddress;

use super::app::TestApp;
use super::page::Page;
use super::reader::Reader;

/// The address of [`signed_in`].
pub const EDITOR: &str = "mara@lindenpost.example";
/// The password of [`signed_in`].
pub const PASSWORD: &str = "tram linden orange 4";

/// Invites an editor and returns the path of the set-up link.
pub async fn invited(app: &TestApp, email: &str) -> String {
    let email = EmailAddress::parse(email).unwrap();
    let (random, now) = (&app.app.random, app.app.clock.now());
    admin::invite(&app.app.db, random, now, &email, "Mara")
        .await
        .unwrap()
}

/// A browser that is signed in as an editor, having just set the password.
pub async fn signed_in(app: &TestApp) -> Reader {
    signed_in_as(app, EDITOR).await
}

/// Saves a poll with one question and the options Yes and No as a draft; returns its page.
pub async fn draft_poll(editor: &Reader, slug: &str, question: &str) -> Page {
    let page = editor.get("/admin/polls/new").await.expect(200);
    let form = page
        .form("main form.form")
        .fill("question.1", question)
        .fill("slug", slug)
        .with_options(1, &["Yes", "No"]);
    let saved = editor.submit(form.button("then", "save")).await;
    saved.expect(200)
}

/// Like [`signed_in`], for another address.
pub async fn signed_in_as(app: &TestApp, email: &str) -> Reader {
    let browser = app.reader();
    let page = browser.get(&invited(app, email).await).await.expect(200);
    let form = page
        .the_form()
        .fill("password", PASSWORD)
        .fill("again", PASSWORD);
    browser.submit(form).await.expect(200);
    browser
}
