//! An editor's decisions about recipients affect exactly those that the page showed, and are shown as what they are.

use std::time::Duration;

use canvass::config::InDoubt;
use canvass::db::run;
use canvass::types::IssueId;

use crate::digests_recipients::sent_to;
use crate::digests_sending::{scheduled, to_be_sent};
use crate::support::app::TestApp;
use crate::support::editor::signed_in;
use crate::support::issues::{app_with, hand_over, subscribe, the_ledger_agrees, until};
use crate::support::reader::Reader;
use crate::support::smtp_server::{Act, At, SmtpServer};

/// One more recipient comes into this state, as while an issue is being sent.
async fn one_more(app: &TestApp, issue: IssueId, state: i16, reason: i16) {
    let txn = app.app.db.write_txn("test").await.unwrap();
    let moved = "UPDATE delivery SET state = $2, reason = $3 WHERE issue_id = $1 AND reader_id =
        (SELECT MIN(reader_id) FROM delivery WHERE issue_id = $1 AND state = 2)";
    let values = [issue.0.into(), state.into(), reason.into()];
    run(&*txn, moved, values).await.unwrap();
    for (state, reason, n) in [(2i16, 0i16, -1i64), (state, reason, 1)] {
        let sql = "INSERT INTO issue_tally (issue_id, state, reason, slot, n) VALUES ($1, $2, $3, 99, $4)
            ON CONFLICT (issue_id, state, reason, slot) DO UPDATE SET n = issue_tally.n + excluded.n";
        let values = [issue.0.into(), state.into(), reason.into(), n.into()];
        run(&*txn, sql, values).await.unwrap();
    }
    txn.commit().await.unwrap();
}

#[tokio::test]
async fn a_button_for_all_does_nothing_if_more_are_in_doubt_than_it_says() {
    let app = TestApp::start().await;
    let issue = sent_to(&app, 1_100).await;
    let browser = signed_in(&app).await;
    let left = "SELECT COUNT(*) FROM delivery WHERE state = 5";
    let shown = app.count(left).await;
    let page = browser
        .get(&format!("/admin/issues/{}/settle", issue.0))
        .await
        .expect(200);
    one_more(&app, issue, 5, 12).await;
    for how in ["accept-all", "resend-all"] {
        let form = page.form("form[action$='/settle']").button("how", how);
        browser
            .submit(form)
            .await
            .expect(409)
            .says(&format!("Now it is {}.", shown + 1));
        assert_eq!(app.count(left).await, shown + 1, "{how}");
    }
    let form = page
        .form("form[action$='/settle']")
        .button("how", "accept-all");
    let again = browser.submit(form).await.expect(409);
    again
        .clone()
        .says(&format!("Take all {} as handed over", shown + 1));
    let form = again
        .form("form[action$='/settle']")
        .button("how", "accept-all");
    browser
        .submit(form)
        .await
        .expect(200)
        .says(&format!("{} readers are taken as handed over.", shown + 1));
    assert_eq!(app.count(left).await, 0);
}

#[tokio::test]
async fn only_as_many_are_sent_to_again_as_the_page_showed() {
    let app = TestApp::start().await;
    let issue = sent_to(&app, 1_100).await;
    let browser = signed_in(&app).await;
    let refused = "SELECT COUNT(*) FROM delivery WHERE state = 4 AND reason = 9";
    let shown = app.count(refused).await;
    let page = browser
        .get(&format!("/admin/issues/{}/resend", issue.0))
        .await
        .expect(200);
    one_more(&app, issue, 4, 9).await;
    let again = browser
        .submit(page.form("form[action$='/resend']"))
        .await
        .expect(409);
    assert_eq!(app.count(refused).await, shown + 1, "nothing was sent");
    again.clone().says(&format!(
        "{} readers: refused by the receiving side",
        shown + 1
    ));
    browser
        .submit(again.form("form[action$='/resend']"))
        .await
        .expect(200)
        .says(&format!("{} readers are sent to again.", shown + 1))
        .says(&format!("ordered it again for {} readers", shown + 1));
}

#[tokio::test]
async fn a_reason_that_begins_a_line_begins_with_a_capital() {
    let app = TestApp::start().await;
    let issue = sent_to(&app, 1_100).await;
    let browser = signed_in(&app).await;
    for page in ["", "/recipients"] {
        let address = format!("/admin/issues/{}{page}", issue.0);
        let page = browser.get(&address).await.expect(200);
        page.says("Refused by the receiving side");
    }
}

/// An order for very many that is to be refused must not move them first: the counters tell.
#[tokio::test]
async fn an_order_is_refused_by_the_counters_before_anybody_is_moved() {
    let app = TestApp::start().await;
    let issue = sent_to(&app, 1_100).await;
    let browser = signed_in(&app).await;
    for (path, how, state, reason) in [
        ("resend", None, 4, 9),
        ("settle", Some("accept-all"), 5, 12),
    ] {
        let page = format!("/admin/issues/{}/{path}", issue.0);
        let page = browser.get(&page).await.expect(200);
        let txn = app.app.db.write_txn("test").await.unwrap();
        let sql =
            "INSERT INTO issue_tally (issue_id, state, reason, slot, n) VALUES ($1, $2, $3, 99, 1)";
        let values = [issue.0.into(), state.into(), reason.into()];
        run(&*txn, sql, values).await.unwrap();
        txn.commit().await.unwrap();
        let mut form = page.form(&format!("form[action$='/{path}']"));
        if let Some(how) = how {
            form = form.button("how", how);
        }
        browser.submit(form).await.expect(409);
    }
    let orders = "SELECT COUNT(*) FROM mailing_order";
    assert_eq!(app.count(orders).await, 0);
}

/// How often an issue was attempted for a recipient, in the file and on the page of the recipient.
async fn attempts(
    app: &TestApp,
    browser: &Reader,
    issue: IssueId,
    email: &str,
) -> (String, Vec<String>) {
    let base = format!("/admin/issues/{}/recipients", issue.0);
    let url = app.url(&format!("{base}.csv"));
    let file = browser.client().get(url).send().await.unwrap();
    let file = file.text().await.unwrap();
    let row = file.lines().find(|line| line.starts_with(email)).unwrap();
    let count = row.split(',').nth(4).unwrap().to_owned();
    let sql = format!("SELECT id FROM reader WHERE email = '{email}'");
    let page = format!("{base}/{}", app.count(&sql).await);
    let page = browser.get(&page).await.expect(200);
    (count, page.all("tbody tr"))
}

#[tokio::test]
async fn a_mail_that_a_crash_interrupted_says_so_and_a_decision_is_no_attempt() {
    let server = SmtpServer::start().await;
    server.rule(At::Dot, "reader3@", Act::Drop, Some(1));
    let app = app_with(&server, |config| config.mail.in_doubt = InDoubt::Hold).await;
    let daily = app.newsletter("daily").await;
    subscribe(&app, &daily, 5).await;
    let issue = hand_over(&app, &daily, Duration::from_secs(10)).await;
    until(&app, issue, |p| p.counts.audience == 5).await;
    // Another process had begun with the second when it ended.
    let txn = app.app.db.write_txn("test").await.unwrap();
    for sql in [
        "INSERT INTO delivery (issue_id, reader_id, state, reason, fence, attempt, at_ms)
         SELECT m.issue_id, r.id, 1, 0, 1, 1, 1 FROM mailing m, reader r WHERE r.email = 'reader2@example.org'",
        "UPDATE mail_batch SET state = 1, fence = 1, lease_until_ms = 1, worker = 'gone'",
    ] {
        run(&*txn, sql, []).await.unwrap();
    }
    txn.commit().await.unwrap();
    app.advance(Duration::from_secs(20));
    let done = until(&app, issue, |p| p.counts.sent == 3 && p.counts.unknown == 2).await;
    assert_eq!(done.doubts.len(), 2, "two reasons: {:?}", done.doubts);
    let browser = signed_in(&app).await;
    let (count, rows) = attempts(&app, &browser, issue, "reader2@example.org").await;
    assert_eq!((count.as_str(), rows.len()), ("1", 1), "{rows:?}");
    assert!(
        rows[0].contains("Canvass ended before the relay’s reply."),
        "{rows:?}"
    );

    let page = browser
        .get(&format!("/admin/issues/{}/settle", issue.0))
        .await
        .expect(200);
    let page = page.says("Canvass ended before the relay’s reply");
    let form = page
        .form("form[action$='/settle']")
        .button("how", "accept-all");
    browser
        .submit(form)
        .await
        .expect(200)
        .says("2 readers are taken as handed over.");
    the_ledger_agrees(&app, issue).await;
    for email in ["reader2@example.org", "reader3@example.org"] {
        let (count, rows) = attempts(&app, &browser, issue, email).await;
        assert_eq!(count, "1", "{email}: {rows:?}");
        let last = rows.last().unwrap();
        assert!(
            last.contains("Taken as handed over") && last.contains("by Mara"),
            "{rows:?}"
        );
    }
    let (count, rows) = attempts(&app, &browser, issue, "reader1@example.org").await;
    assert_eq!((count.as_str(), rows.len()), ("1", 1), "{rows:?}");
}

/// What was handed over, and not what today's text, templates and polls would give.
#[tokio::test]
async fn the_mail_as_it_was_sent_is_the_one_that_was_frozen() {
    let app = TestApp::start().await;
    let daily = app.newsletter("daily").await;
    let issue = hand_over(&app, &daily, Duration::from_secs(3_600)).await;
    let browser = signed_in(&app).await;
    let path = format!("/admin/issues/{}/preview", issue.0);
    browser.get(&path).await.expect(200).says("Hello Mara");
    browser
        .get(&format!("{path}?view=text"))
        .await
        .expect(200)
        .says("half of you do not.");
}

/// As in a copied database, or by a script.
#[tokio::test]
async fn an_issue_that_is_held_before_its_time_is_offered_that_time_again() {
    let app = TestApp::start().await;
    let (editor, last) = to_be_sent(&app, 2, "On Friday").await;
    let (slot, zone) = ("2026-03-06T07:00", "Europe/Lisbon");
    scheduled(&editor, &last, slot, zone).await.expect(200);
    let at = app.count("SELECT scheduled_ms FROM issue").await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    let now = app.app.clock.now();
    let why = "This database was copied.";
    canvass::digests::hold_all(&txn, why, now).await.unwrap();
    txn.commit().await.unwrap();

    let issue = last.url.path().trim_end_matches("/send");
    let held = editor.get(issue).await.expect(200);
    let held = held
        .says("This issue was held. This database was copied.")
        .says("It was to go out on Fri 6 Mar");
    let first = held.all(".button-primary");
    assert_eq!(first.len(), 1, "{first:?}");
    assert!(first[0].starts_with("Schedule for Fri 6 Mar"), "{first:?}");

    let another = editor.get(last.url.path()).await.expect(200);
    let form = another.form("form[action$='/schedule']");
    assert_eq!(form.value("at"), Some(slot));
    assert_eq!(form.value("zone"), Some(zone));

    let again = held.form("form[action$='/schedule']");
    let page = editor.submit(again.button("then", "schedule")).await;
    page.expect(200).says("Goes out on");
    let sql = "SELECT COALESCE(MAX(scheduled_ms), 0) FROM issue WHERE state = 1";
    assert_eq!(app.count(sql).await, at);
}
