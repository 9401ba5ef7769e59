//! What an editor sees of an issue that has meanwhile changed, is on its way, or goes out later.

use std::time::Duration;

use canvass::types::varint::pack;
use sea_orm::Value;

use crate::digests_sending::{readers, scheduled, to_be_sent, written};
use crate::support::app::TestApp;
use crate::support::editor::signed_in;

#[tokio::test]
async fn a_second_press_shows_the_issue_and_a_late_stop_says_so() {
    let app = TestApp::start_with(|config| config.mail.undo_seconds = 30).await;
    let (editor, last) = to_be_sent(&app, 3, "Pressed twice").await;
    let send = last.form("form[action$='/send']");
    let waiting = editor.submit(send.clone()).await.expect(200);
    let again = editor.submit(send.clone()).await.expect(200);
    again.says("Goes out in 30 seconds");
    app.advance(Duration::from_secs(31));
    canvass::digests::tick(&app.app).await.unwrap();
    let stop = waiting.form("form[action$='/unschedule']");
    let late = editor.submit(stop).await.expect(200);
    late.says("It was not stopped: it had already");
    let again = editor.submit(send).await.expect(200);
    assert_eq!(again.url.path(), last.url.path().trim_end_matches("/send"));
    assert_eq!(app.count("SELECT COUNT(*) FROM mailing").await, 1);
}

#[tokio::test]
async fn what_another_editor_changed_is_not_sent_and_the_error_leads_to_it() {
    let app = TestApp::start().await;
    let (editor, last) = to_be_sent(&app, 3, "Twice written").await;
    let issue = last.url.path().trim_end_matches("/send").to_owned();
    let form = editor.get(&issue).await.expect(200).form("#composer");
    let form = form.fill("body", "Good evening.").button("then", "preview");
    editor.submit(form).await.expect(200);
    for path in ["/send", "/schedule"] {
        let form = last.form(&format!("form[action$='{path}']"));
        let page = editor.submit(form).await.expect(409);
        let page = page.says("Somebody changed this issue");
        assert_eq!(page.attributes("main a.button", "href"), [issue.as_str()]);
    }
    assert_eq!(
        app.count("SELECT COUNT(*) FROM issue WHERE state = 0")
            .await,
        1
    );
}

#[tokio::test]
async fn the_preview_of_a_scheduled_issue_is_the_mail_that_goes_out() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("brief").await;
    readers(&app, newsletter.id, 1, 1).await;
    // 09:30 UTC, half an hour from now.
    app.poll_with("tram", |definition| {
        definition.questions[0].text = "Is the tram worth it?".into();
        definition.opens_at = Some(app.app.clock.now() + Duration::from_secs(30 * 60));
    })
    .await;
    let editor = signed_in(&app).await;
    let last = written(&editor, "With a poll").await;
    let issue = last.url.path().trim_end_matches("/send").to_owned();
    let composer = editor.get(&issue).await.expect(200);
    let form = composer.form("#composer").fill("body", "{{poll:tram}}");
    let last = editor.submit(form.button("then", "send")).await.expect(200);
    let preview = format!("{issue}/preview?view=text");
    let now = editor.get(&preview).await.expect(200);
    assert!(!now.body.contains("tram worth"), "{}", now.body);
    // 10:00 UTC of the next day.
    scheduled(&editor, &last, "2026-03-03T11:00", "Europe/Berlin")
        .await
        .expect(200);
    let then = editor.get(&preview).await.expect(200);
    assert!(then.body.contains("Is the tram worth it?"), "{}", then.body);
    assert!(then.body.contains("2026-03-03"), "{}", then.body);
}

#[tokio::test]
async fn a_scheduled_issue_says_whose_list_is_fixed_when_it_goes_out() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("brief").await;
    readers(&app, newsletter.id, 1, 1).await;
    app.poll("trust").await;
    let editor = signed_in(&app).await;
    let last = written(&editor, "For some").await;
    let page = scheduled(&editor, &last, "2026-03-03T11:00", "Europe/Berlin").await;
    let issue = page.url.path().to_owned();
    let everybody = "readers who join before then get it";
    page.expect(200).says(everybody);
    let change = async |sql: &str, values: Vec<Value>| {
        let txn = app.app.db.write_txn("test").await.unwrap();
        canvass::db::run(&*txn, sql, values).await.unwrap();
        txn.commit().await.unwrap();
        editor.get(&issue).await.expect(200)
    };
    let sample = "UPDATE issue SET sample_poll_id = (SELECT id FROM poll), sample_round = 1";
    let page = change(sample, vec![]).await;
    let page = page.says("The sample stays the same");
    assert!(!page.text().contains(everybody));
    let all = "UPDATE issue SET sample_poll_id = NULL, sample_round = 0";
    change(all, vec![]).await.says(everybody);
    let option = app.count("SELECT MIN(id) FROM poll_option").await;
    let segment = "INSERT INTO issue_segment (issue_id, poll_id, options) SELECT issue.id, poll.id, $1 FROM issue, poll";
    let page = change(segment, vec![pack(&[option]).into()]).await;
    let page = page.says("readers who agree before then get it");
    assert!(!page.text().contains(everybody));
}
