//! A newsletter that was left can be kept for an hour, on whatever page the reader is then.

use std::time::Duration;

use canvass::subscriptions::{manage_token, unsubscribe_token};
use canvass::types::{NewsletterId, ReaderId};

use crate::subscriptions_double_opt_in::{state_of, subscribe};
use crate::support::app::TestApp;

const HOUR: Duration = Duration::from_secs(3_600);
const ANNA: &str = "anna@example.org";

/// Anna's unsubscribe page and her preferences.
async fn pages(app: &TestApp) -> (String, String) {
    let newsletter: NewsletterId = app.newsletter("premium").await.id;
    subscribe(app, &app.reader(), ANNA).await;
    let id = ReaderId(app.count("SELECT id FROM reader").await);
    let keys = &app.app.keys;
    (
        format!("/unsubscribe/{}", unsubscribe_token(keys, newsletter, id)),
        format!("/manage/{}", manage_token(keys, id)),
    )
}

/// A second press and a reload are what happens when nothing seems to happen.
#[tokio::test]
async fn leaving_all_twice_or_a_reload_keeps_the_undo() {
    let app = TestApp::start().await;
    let (_, path) = pages(&app).await;
    let reader = app.reader();
    for _ in 0..2 {
        let page = reader.post(&path, &[("action", "leave-all")]).await;
        let page = page.expect(200).says("no more emails");
        assert_eq!(
            page.all(".undo button"),
            ["Undo: keep sending The premium letter"]
        );
    }
    assert_eq!(state_of(&app, ANNA).await, 2);
    let page = reader.get(&path).await.expect(200);
    let undo = page.form(".undo").button("action", "undo-all");
    let page = reader.submit(undo).await.expect(200);
    let page = page.says("Your emails will keep coming");
    assert!(page.all(".undo").is_empty());
    assert_eq!(state_of(&app, ANNA).await, 1);
    reader
        .post(&path, &[("action", "leave-all")])
        .await
        .expect(200);
    app.advance(HOUR + Duration::from_secs(1));
    let page = reader.get(&path).await.expect(200);
    assert!(page.all(".undo").is_empty(), "after the hour");
}

#[tokio::test]
async fn an_undo_that_came_too_late_says_so() {
    let app = TestApp::start().await;
    let (path, _) = pages(&app).await;
    let reader = app.reader();
    let form = reader.get(&path).await.expect(200).the_form();
    let gone = reader.submit(form.button("action", "leave")).await;
    let gone = gone.expect(200).says("You no longer receive");
    assert!(!gone.text().contains("no longer be undone"));
    app.advance(HOUR + Duration::from_secs(1));
    let undo = gone.the_form().button("action", "undo");
    let page = reader.submit(undo).await.expect(200);
    let page = page.says("This can no longer be undone.");
    page.says("Subscribe again");
}

/// A reader who uses assistive software ticks "I pressed this", and the second press does what the first would have.
#[tokio::test]
async fn what_was_typed_survives_the_question_whether_a_program_pressed() {
    let app = TestApp::start().await;
    let (_, path) = pages(&app).await;
    let reader = app.reader();
    let page = reader.get(&path).await.expect(200);
    assert!(
        !page.text().contains("Times in emails"),
        "no time in a mail is shown in the reader's zone"
    );
    let form = page.the_form().untick("keep").fill("name", "Anna Ø");
    let mut form = form.button("action", "save");
    form.fields.push(("untouched".into(), "1".into()));
    let asked = reader.submit(form).await.expect(409);
    assert_eq!(state_of(&app, ANNA).await, 1);
    let form = asked.the_form().tick("person", "1");
    assert_eq!(form.value("name"), Some("Anna Ø"));
    assert_eq!(form.value("keep"), None);
    let saved = reader.submit(form.button("action", "save")).await;
    saved.expect(200).says("You will no longer receive");
    assert_eq!(state_of(&app, ANNA).await, 2);
}
