//! An issue is sent exactly once, at its time, with its frozen content.

use std::time::Duration;

use canvass::types::NewsletterId;

use crate::support::app::TestApp;
use crate::support::editor::signed_in;
use crate::support::page::Page;
use crate::support::reader::Reader;

/// Confirmed readers `r1@example.org` to `rN@example.org`.
pub async fn readers(app: &TestApp, newsletter: NewsletterId, from: i64, to: i64) {
    let txn = app.app.db.write_txn("test").await.unwrap();
    let now = app.app.clock.now().0;
    for n in from..=to {
        let email = format!("r{n}@example.org");
        let sql =
            "INSERT INTO reader (email_key, email, created_ms) VALUES ($1, $1, $2) RETURNING id";
        let row = canvass::db::fetch_one(&*txn, sql, [email.into(), now.into()])
            .await
            .unwrap()
            .unwrap();
        let id: i64 = row.try_get_by_index(0).unwrap();
        let sql = "INSERT INTO subscription (newsletter_id, reader_id, state, confirmed_ms, changed_ms) VALUES ($1, $2, 1, $3, $3)";
        canvass::db::run(&*txn, sql, [newsletter.0.into(), id.into(), now.into()])
            .await
            .unwrap();
    }
    txn.commit().await.unwrap();
}

/// An issue with a subject and a text; the last page before it goes out.
pub async fn written(editor: &Reader, subject: &str) -> Page {
    let new = editor.get("/admin/issues/new").await.expect(200);
    let page = editor
        .submit(
            new.form("form[action='/admin/issues']")
                .fill("subject", subject),
        )
        .await
        .expect(200);
    let form = page
        .form("#composer")
        .fill("body", "Good morning.")
        .button("then", "send");
    editor.submit(form).await.expect(200)
}

/// A newsletter with `n` readers, an editor, and an issue of theirs; the last page before it goes out.
pub async fn to_be_sent(app: &TestApp, n: i64, subject: &str) -> (Reader, Page) {
    let newsletter = app.newsletter("brief").await;
    readers(app, newsletter.id, 1, n).await;
    let editor = signed_in(app).await;
    let last = written(&editor, subject).await;
    (editor, last)
}

/// Chooses a time on the last page, sees it in words, and confirms it.
pub async fn scheduled(editor: &Reader, last: &Page, at: &str, zone: &str) -> Page {
    let form = last
        .form("form[action$='/schedule']")
        .fill("at", at)
        .fill("zone", zone)
        .button("then", "check");
    let seen = editor.submit(form).await.expect(200);
    editor
        .submit(
            seen.form("form[action$='/schedule']")
                .button("then", "schedule"),
        )
        .await
}

#[tokio::test]
async fn sent_now_it_reaches_everybody_once() {
    let app = TestApp::start().await;
    let (editor, last) = to_be_sent(&app, 30, "To all").await;
    let last = last.says("Send to 30 readers");
    editor
        .submit(last.form("form[action$='/send']"))
        .await
        .expect(200);
    app.wait_until("SELECT COUNT(*) FROM mailing WHERE state = 4", 1)
        .await;
    for n in 1..=30 {
        assert_eq!(app.mails_to(&format!("r{n}@example.org")).await.len(), 1);
    }
    let page = editor
        .get(last.url.path().trim_end_matches("/send"))
        .await
        .expect(200);
    page.says("Handed over for 30 of 30 readers");
    // Pressing the button on the page that is still open has no further effect, and shows what became of it.
    editor
        .submit(last.form("form[action$='/send']"))
        .await
        .expect(200)
        .says("Handed over for 30 of 30 readers");
    assert_eq!(
        app.count("SELECT COUNT(*) FROM captured_mail WHERE envelope_to LIKE 'r%'")
            .await,
        30
    );
}

#[tokio::test]
async fn the_undo_delay_takes_it_back() {
    let app = TestApp::start_with(|config| config.mail.undo_seconds = 30).await;
    let (editor, last) = to_be_sent(&app, 3, "Too early").await;
    let waiting = editor
        .submit(last.form("form[action$='/send']"))
        .await
        .expect(200)
        .says("Goes out in 30 seconds");
    app.advance(Duration::from_secs(29));
    canvass::digests::tick(&app.app).await.unwrap();
    let still = editor.get(waiting.url.path()).await.expect(200);
    still.says("Goes out in 1 second to 3 readers");
    let back = editor
        .submit(waiting.form("form[action$='/unschedule']"))
        .await
        .expect(200);
    back.says("It is a draft again");
    app.advance(Duration::from_secs(3_600));
    canvass::digests::tick(&app.app).await.unwrap();
    assert_eq!(app.count("SELECT COUNT(*) FROM mailing").await, 0);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM issue WHERE state = 0")
            .await,
        1
    );
}

#[tokio::test]
async fn a_due_issue_fires_exactly_once_however_many_look() {
    let app = TestApp::start().await;
    let (editor, last) = to_be_sent(&app, 5, "At ten").await;
    // START is Monday, 2 March 2026, 10:00 in Berlin.
    let page = scheduled(&editor, &last, "2026-03-02T10:30", "Europe/Berlin")
        .await
        .expect(200);
    page.says("Mon 2 Mar 2026, 10:30 Europe/Berlin (09:30 UTC)");
    app.advance(Duration::from_secs(29 * 60));
    canvass::digests::tick(&app.app).await.unwrap();
    assert_eq!(app.count("SELECT COUNT(*) FROM mailing").await, 0);
    app.advance(Duration::from_secs(60));
    // Eight at once, and the background task of the server as the ninth.
    let ticks = (0..8).map(|_| {
        let app = app.app.clone();
        tokio::spawn(async move { canvass::digests::tick(&app).await })
    });
    for tick in ticks.collect::<Vec<_>>() {
        tick.await.unwrap().unwrap();
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM mailing").await, 1);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM issue WHERE state = 3")
            .await,
        1
    );
    // The clock goes back past its time and forward again: it stays sent.
    app.app.clock.set(canvass::types::UnixMillis(
        app.app.clock.now().0 - 3_600_000,
    ));
    canvass::digests::tick(&app.app).await.unwrap();
    app.advance(Duration::from_secs(7_200));
    canvass::digests::tick(&app.app).await.unwrap();
    app.wait_until("SELECT COUNT(*) FROM mailing WHERE state = 4", 1)
        .await;
    assert_eq!(
        app.count("SELECT COUNT(*) FROM captured_mail WHERE envelope_to LIKE 'r%'")
            .await,
        5
    );
}

#[tokio::test]
async fn a_slot_missed_by_more_than_a_day_waits_for_a_person() {
    let app = TestApp::start().await;
    let (editor, last) = to_be_sent(&app, 2, "Old news").await;
    scheduled(&editor, &last, "2026-03-03T07:00", "Europe/Berlin")
        .await
        .expect(200);
    // Two days pass without a running server.
    app.advance(Duration::from_secs(2 * 24 * 3_600 + 1));
    app.wait_until("SELECT COUNT(*) FROM issue WHERE state = 2", 1)
        .await;
    assert_eq!(app.count("SELECT COUNT(*) FROM mailing").await, 0);
    let issue = last.url.path().trim_end_matches("/send").to_owned();
    let held = editor
        .get(&issue)
        .await
        .expect(200)
        .says("This issue was held");
    editor
        .submit(held.form("form[action$='/send']"))
        .await
        .expect(200);
    app.wait_until("SELECT COUNT(*) FROM mailing WHERE state = 4", 1)
        .await;
}

#[tokio::test]
async fn a_slot_missed_by_less_goes_out_late() {
    let app = TestApp::start().await;
    let (editor, last) = to_be_sent(&app, 2, "Late").await;
    scheduled(&editor, &last, "2026-03-02T11:00", "Europe/Berlin")
        .await
        .expect(200);
    app.advance(Duration::from_secs(20 * 3_600));
    app.wait_until("SELECT COUNT(*) FROM mailing WHERE state = 4", 1)
        .await;
}

/// The clock beside the field shows the time in the chosen zone.
#[tokio::test]
async fn the_clock_beside_the_time_is_that_of_the_chosen_zone() {
    let app = TestApp::start().await;
    let (editor, last) = to_be_sent(&app, 1, "Over there").await;
    let hint = |page: &Page| page.all("#at-hint").concat();
    let zone = last.form("form[action$='/schedule']");
    let home = zone.value("zone").unwrap().to_owned();
    assert!(
        hint(&last).contains(&format!("In {home} it is")),
        "{}",
        hint(&last)
    );
    for (zone, said) in [
        (
            "America/New_York",
            "In America/New_York it is 2 Mar 2026, 04:00 now.",
        ),
        ("Asia/Tokyo", "In Asia/Tokyo it is 2 Mar 2026, 18:00 now."),
    ] {
        let form = last
            .form("form[action$='/schedule']")
            .fill("at", "2026-03-09T07:00")
            .fill("zone", zone)
            .button("then", "check");
        let page = editor.submit(form).await.expect(200);
        assert!(hint(&page).contains(said), "{}", hint(&page));
    }
    let form = last
        .form("form[action$='/schedule']")
        .fill("at", "2026-03-09T07:00")
        .fill("zone", "Mars/Olympus")
        .button("then", "check");
    let page = editor.submit(form).await.expect(422);
    assert_eq!(hint(&page), "In the time zone below.");
}

/// An issue that cannot be sent cannot be scheduled, either.
#[tokio::test]
async fn a_mail_that_cannot_be_sent_cannot_be_scheduled() {
    let app = TestApp::start().await;
    let (editor, last) = to_be_sent(&app, 1, "Soon empty").await;
    assert!(last.body.find("Who gets it") < last.body.find("Send to 1 reader"));
    let issue = last.url.path().trim_end_matches("/send").to_owned();
    let page = editor.get(&issue).await.expect(200);
    let empty = page
        .form("#composer")
        .fill("body", "")
        .button("then", "send");
    let last = editor.submit(empty).await.expect(200);
    let last = last.says("It cannot be sent like this.");
    assert!(last.all("form[action$='/schedule']").is_empty());
}

#[tokio::test]
async fn times_that_clocks_skip_or_show_twice_are_explained() {
    let app = TestApp::start().await;
    let (editor, last) = to_be_sent(&app, 1, "Spring").await;
    let check = |at: &str, zone: &str| {
        last.form("form[action$='/schedule']")
            .fill("at", at)
            .fill("zone", zone)
            .button("then", "check")
    };
    let page = editor
        .submit(check("2026-03-29T02:30", "Europe/Berlin"))
        .await
        .expect(200);
    assert_eq!(page.attributes("#at-answer", "autofocus").len(), 1);
    page.says("does not exist on that day")
        .says("Sun 29 Mar 2026, 03:00 Europe/Berlin (01:00 UTC)");
    let page = editor
        .submit(check("2026-10-25T02:30", "europe/berlin"))
        .await
        .expect(200);
    page.says("occurs twice on that day")
        .says("02:30 Europe/Berlin (00:30 UTC)");
    for (at, zone, words) in [
        ("2026-03-02T09:59", "Europe/Berlin", "That time has passed"),
        ("tomorrow", "Europe/Berlin", "write a date and a time"),
        ("", "", "is not a time zone"),
        ("2026-03-04T07:00", "Berlin", "is not a time zone"),
        ("9999-12-31T23:59", "Pacific/Niue", "calendar"),
    ] {
        editor.submit(check(at, zone)).await.expect(422).says(words);
    }
    assert_eq!(
        app.count("SELECT COUNT(*) FROM issue WHERE state = 0")
            .await,
        1
    );
}

#[tokio::test]
async fn nobody_to_send_to_is_said_before_and_never_called_finished() {
    let app = TestApp::start().await;
    app.newsletter("brief").await;
    let editor = signed_in(&app).await;
    let last = written(&editor, "Hello?")
        .await
        .says("there is nobody to send it to");
    editor.submit(last.form("form[action$='/send']")).await;
    scheduled(&editor, &last, "2026-03-02T11:00", "Europe/Berlin")
        .await
        .expect(200);
    app.advance(Duration::from_secs(3_601));
    app.wait_until("SELECT COUNT(*) FROM issue WHERE state = 2", 1)
        .await;
    assert_eq!(app.count("SELECT COUNT(*) FROM mailing").await, 0);
}

#[tokio::test]
async fn who_joins_after_the_cut_off_waits_for_the_next_issue() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("brief").await;
    readers(&app, newsletter.id, 1, 5).await;
    let editor = signed_in(&app).await;
    let last = written(&editor, "Frozen").await;
    scheduled(&editor, &last, "2026-03-02T11:00", "Europe/Berlin")
        .await
        .expect(200);
    readers(&app, newsletter.id, 6, 7).await;
    app.advance(Duration::from_secs(3_601));
    app.wait_until("SELECT COUNT(*) FROM mailing WHERE state = 4", 1)
        .await;
    readers(&app, newsletter.id, 8, 9).await;
    // Readers who subscribed between scheduling and the cut-off get it; those who subscribed later do not.
    assert_eq!(app.count("SELECT audience FROM mailing").await, 7);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM captured_mail WHERE envelope_to LIKE 'r%'")
            .await,
        7
    );
}

#[tokio::test]
async fn a_scheduled_text_cannot_be_changed_behind_its_back() {
    let app = TestApp::start().await;
    let (editor, last) = to_be_sent(&app, 1, "As agreed").await;
    let composer = editor
        .get(last.url.path().trim_end_matches("/send"))
        .await
        .expect(200);
    scheduled(&editor, &last, "2026-03-02T11:00", "Europe/Berlin")
        .await
        .expect(200);
    let form = composer
        .form("#composer")
        .fill("body", "Something else")
        .button("then", "preview");
    editor.submit(form).await.expect(409);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM issue WHERE body = 'Good morning.'")
            .await,
        1
    );
}
