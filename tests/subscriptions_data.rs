//! A reader's own data: seen, exported, erased, and only by a fresh mail to the address.

use std::time::Duration;

use canvass::db::{fetch_all, run};
use canvass::subscriptions::manage_token;
use canvass::types::{PollId, ReaderId};
use serde_json::Value;

use crate::polls_elsewhere::link;
use crate::polls_linked::{ADDRESS, WORDS, agree, asked, links};
use crate::support::app::TestApp;
use crate::support::dump::Dump;
use crate::support::editor::signed_in;
use crate::support::page::Page;
use crate::support::reader::Reader;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// A confirmed subscriber whose answer is linked: "Unsure".
async fn linked(app: &TestApp) -> (PollId, ReaderId, String) {
    let poll = asked(app).await;
    let reader = app.reader();
    let page = reader.get("/p/trust").await.expect(200);
    let form = page.the_form().choose("option", "3");
    let form = form.fill("email", ADDRESS).tick("consent", "1");
    reader.submit(agree(&page, form)).await.expect(200);
    let confirm = app.mail_to(ADDRESS, 1).await.link("/confirm/");
    let page = reader.get(&confirm).await.expect(200);
    let form = page.the_form().tick("link", "1");
    let done = reader.submit(form).await.expect(200);
    let mut hrefs = done.links().into_iter().map(|(href, _)| href);
    let manage = hrefs.find(|href| href.starts_with("/manage/"));
    let sql = format!("SELECT id FROM reader WHERE email_key = '{ADDRESS}'");
    let id = ReaderId(app.count(&sql).await);
    assert_eq!(links(app).await, [(ADDRESS.to_owned(), 3)]);
    (poll, id, manage.unwrap())
}

/// Asks for the data on the preferences page, and opens the link in the mail.
async fn data(app: &TestApp, reader: &Reader, manage: &str) -> (String, Page) {
    app.advance(HOUR);
    let before = app.mails_to(ADDRESS).await.len();
    let page = reader.get(manage).await.expect(200);
    let form = page.the_form().button("action", "data");
    reader
        .submit(form)
        .await
        .expect(200)
        .says("Check your inbox");
    let mail = app.mail_to(ADDRESS, before + 1).await;
    let path = mail.link("/data/");
    (path.clone(), reader.get(&path).await.expect(200))
}

#[tokio::test]
async fn a_reader_sees_and_takes_away_all_that_is_kept() {
    let app = TestApp::start().await;
    let (_, _, manage) = linked(&app).await;
    let reader = app.reader();
    let (path, page) = data(&app, &reader, &manage).await;
    page.says(ADDRESS)
        .says("The premium letter")
        .says("Do you trust the mainstream media? Unsure")
        .says(WORDS);
    let file = reader.get(&format!("{path}/file")).await.expect(200);
    assert!(
        file.headers["content-disposition"]
            .to_str()
            .unwrap()
            .contains("attachment")
    );
    let kept: Value = serde_json::from_str(&file.body).unwrap();
    assert_eq!(kept["email"], ADDRESS);
    assert_eq!(kept["subscriptions"][0]["state"], "active");
    // The confirmation, and the mail that brought this link.
    let singles = kept["single_mails"].as_array().unwrap();
    let kinds: Vec<_> = singles.iter().map(|single| &single["kind"]).collect();
    assert_eq!(kinds, ["your-data", "confirm-subscription"]);
    assert_eq!(singles[0]["state"], "sent");
    let consent = &kept["consents"][0];
    assert_eq!(consent["words"], "Send me this newsletter by mail.");
    assert_eq!(
        (&consent["source"], &consent["version"]),
        (&"poll".into(), &1.into())
    );
    let answer = &kept["linked_answers"][0];
    assert_eq!(answer["poll"], "trust");
    let said = &answer["answers"][0];
    assert_eq!(said["question"], "Do you trust the mainstream media?");
    assert_eq!(said["answer"], "Unsure");
    assert_eq!(answer["words"], WORDS);
    let sql = "SELECT agreed_ms, linked_ms FROM ballot_link";
    let row = &fetch_all(app.app.db.read(), sql, []).await.unwrap()[0];
    for (field, column) in [("agreed_at", "agreed_ms"), ("linked_at", "linked_ms")] {
        let at: canvass::types::UnixMillis = row.try_get("", column).unwrap();
        assert_eq!(answer[field], at.to_string(), "{field}");
    }
    // The link expires after a day, and never opened anything else.
    app.advance(HOUR * 24 + SECOND);
    for path in [path.clone(), format!("{path}/file")] {
        reader
            .get(&path)
            .await
            .expect(410)
            .says("was valid for a day");
    }
    let token = path.rsplit('/').next().unwrap();
    reader.get(&format!("/manage/{token}")).await.expect(404);
}

#[tokio::test]
async fn a_forwarded_mail_learns_nothing_and_triggers_few_mails() {
    let app = TestApp::start().await;
    let (_, id, manage) = linked(&app).await;
    let stranger = app.reader();
    let page = stranger.get(&manage).await.expect(200);
    let page = page.says("Do you trust the mainstream media?").says(WORDS);
    assert!(!page.text().contains("Unsure"), "not what was answered");
    let token = manage.split(['/', '#']).nth(2).unwrap();
    stranger.get(&format!("/data/{token}")).await.expect(404);
    app.advance(HOUR);
    let form = page.the_form().button("action", "data");
    for _ in 0..5 {
        stranger
            .submit(form.clone())
            .await
            .expect(200)
            .says("Check your inbox");
    }
    app.mail_to(ADDRESS, 2).await;
    // At most three a day.
    assert_eq!(
        app.count("SELECT COUNT(*) FROM outbox WHERE template = 'your-data'")
            .await,
        3
    );
    // The page is the same for a reader who does not exist.
    let gone = manage_token(&app.app.keys, ReaderId(id.0 + 1));
    let gone = stranger
        .post(&format!("/manage/{gone}"), &[("action", "data")])
        .await;
    gone.expect(404);
}

/// Anybody can use up the daily confirmations of an address, which must not affect the links to the data.
#[tokio::test]
async fn a_strangers_requests_keep_no_reader_from_their_data() {
    let app = TestApp::start().await;
    let (_, _, manage) = linked(&app).await;
    for _ in 0..4 {
        app.advance(HOUR);
        let fields = [("email", ADDRESS), ("consent", "on")];
        let stranger = app.reader();
        stranger
            .post("/subscribe/premium", &fields)
            .await
            .expect(200);
    }
    app.mail_to(ADDRESS, 3).await;
    let (_, page) = data(&app, &app.reader(), &manage).await;
    page.says(ADDRESS);
    // And vice versa.
    let confirmations =
        "SELECT COUNT(*) FROM outbox WHERE template <> 'your-data' AND expires_ms > 0";
    assert_eq!(app.count(confirmations).await, 3);
    app.advance(HOUR * 24);
    data(&app, &app.reader(), &manage).await;
    let fields = [("email", ADDRESS), ("consent", "on")];
    app.reader()
        .post("/subscribe/premium", &fields)
        .await
        .expect(200);
    assert_eq!(app.count(confirmations).await, 4);
}

#[tokio::test]
async fn a_consent_is_taken_back_and_the_answer_stays_counted() {
    let app = TestApp::start().await;
    let (poll, _, manage) = linked(&app).await;
    let reader = app.reader();
    let page = reader.get(&manage).await.expect(200);
    let form = page.the_form().button("take_back", "trust");
    let mut program = form.clone();
    program.fields.push(("untouched".into(), "1".into()));
    reader.submit(program).await.expect(409);
    assert_eq!(links(&app).await.len(), 1);
    let done = reader
        .submit(form.clone())
        .await
        .expect(200)
        .says("Withdrawn");
    assert!(!done.text().contains(WORDS));
    assert_eq!(links(&app).await, []);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM ballot WHERE removed IS NULL")
            .await,
        1
    );
    reader.submit(form).await.expect(200);
    // The reader can agree to the linking again while the poll is open.
    let path = link(&app, poll, 3, ADDRESS).await;
    let page = reader.get(&path).await.expect(200);
    app.advance(SECOND);
    let again = agree(&page, page.the_form());
    reader.submit(again).await.expect(200);
    assert_eq!(links(&app).await.len(), 1);
    // Leaving the newsletter does not change the linking.
    let page = reader.get(&manage).await.expect(200);
    let form = page.the_form().button("action", "leave-all");
    reader.submit(form).await.expect(200);
    assert_eq!(links(&app).await.len(), 1);
}

#[tokio::test]
async fn erasure_leaves_a_counted_secret_ballot_and_no_address() {
    let app = TestApp::start().await;
    let (poll, id, manage) = linked(&app).await;
    let vote = link(&app, poll, 1, ADDRESS).await;
    // A relay's reply that repeats the address.
    let db = &app.app.db;
    let txn = db.write_txn("test").await.unwrap();
    let issue = "INSERT INTO issue (id, newsletter_id, slug, subject, body, state, created_ms, updated_ms) \
                 SELECT 9, id, 'a', 'A', 'B', 3, 1, 1 FROM newsletter";
    run(&*txn, issue, []).await.unwrap();
    let mailing = "INSERT INTO mailing (issue_id, newsletter_id, state, edition, not_before_ms, expires_ms, frozen_ms) \
                   SELECT 9, id, 4, $1, 1, 1, 1 FROM newsletter";
    run(&*txn, mailing, [vec![0_u8].into()]).await.unwrap();
    let attempt = "INSERT INTO delivery_attempt (issue_id, reader_id, attempt, at_ms, state, code, reply) VALUES (9, $1, 1, 1, 3, 450, $2)";
    let reply = format!("later, <{ADDRESS}>");
    run(&*txn, attempt, [id.into(), reply.clone().into()])
        .await
        .unwrap();
    let single = "UPDATE outbox SET reply = $1";
    run(&*txn, single, [reply.into()]).await.unwrap();
    txn.commit().await.unwrap();
    let reader = app.reader();
    let (path, page) = data(&app, &reader, &manage).await;
    let form = page.the_form();
    // Neither a program nor a hasty click erases.
    let mut program = form.clone().tick("sure", "1");
    program.fields.push(("untouched".into(), "1".into()));
    reader.submit(program).await.expect(409);
    let hurry = reader.submit(form.clone()).await.expect(422);
    hurry.says("Nothing was erased");
    assert_eq!(links(&app).await.len(), 1);

    let done = reader.submit(form.clone().tick("sure", "1")).await;
    done.expect(200)
        .says("Everything about you has been erased");
    assert_eq!(links(&app).await, [], "and log, ballots and tally agree");
    assert_eq!(
        app.count("SELECT COUNT(*) FROM ballot WHERE removed IS NULL")
            .await,
        1
    );
    let kept = "SELECT COUNT(*) FROM outbox WHERE address_hash IS NOT NULL";
    assert_eq!(app.count(kept).await, 0);
    // The built-in mailbox stands in for the reader's inbox.
    let left = Dump::of(db).await.containing(ADDRESS, &["captured_mail"]);
    assert_eq!(left, Vec::<String>::new());
    // Nor in the write-ahead log beside the file.
    if let Some(file) = app.app.config.database_file() {
        let log = file.with_extension("db-wal");
        let held = |log| std::fs::metadata(log).map_or(0, |log| log.len());
        assert!(held(&log) > 0, "it was written to");
        db.look_after().await;
        assert_eq!(held(&log), 0);
    }
    for table in ["consent", "subscription_request", "ballot_link"] {
        assert_eq!(
            app.count(&format!("SELECT COUNT(*) FROM {table}")).await,
            0,
            "{table}"
        );
    }
    assert_eq!(
        app.count("SELECT COUNT(*) FROM subscription WHERE state = 1")
            .await,
        0
    );
    assert_eq!(
        app.count("SELECT CAST(reason AS BIGINT) FROM suppression")
            .await,
        4
    );
    // No link that was mailed before opens anything.
    for old in [&path, &manage] {
        reader.get(old).await.expect(404);
    }
    reader.submit(form.tick("sure", "1")).await.expect(404);
    let page = app.reader().get(&vote).await.expect(200);
    app.advance(SECOND);
    app.reader().submit(page.the_form()).await.expect(409);
    assert_eq!(links(&app).await, []);
    // A reader who comes back starts from scratch.
    app.advance(HOUR);
    let reader = app.reader();
    let page = reader.get("/p/trust").await.expect(200);
    let form = page.the_form().choose("option", "1");
    let form = form.fill("email", ADDRESS).tick("consent", "1");
    let before = app.mails_to(ADDRESS).await.len();
    reader.submit(form).await.expect(200);
    let confirm = app.mail_to(ADDRESS, before + 1).await.link("/confirm/");
    let page = reader.get(&confirm).await.expect(200);
    reader
        .submit(page.the_form())
        .await
        .expect(200)
        .says("You are subscribed");
    assert_eq!(links(&app).await, []);
}

#[tokio::test]
async fn an_editor_sees_what_is_kept_and_erases_at_a_readers_word() {
    let app = TestApp::start().await;
    let (_, id, _) = linked(&app).await;
    let browser = signed_in(&app).await;
    let path = format!("/admin/readers/{}", id.0);
    let page = browser.get(&path).await.expect(200);
    let page = page.says("Unsure").says(WORDS);
    let form = page.form("form[action$='/erase']");
    assert_eq!(
        form.value("reason"),
        None,
        "nothing is asked that is not kept"
    );
    for other in ["", "bob@example.org", "yes"] {
        let refused = browser.submit(form.clone().fill("address", other)).await;
        let refused = refused.expect(422).says("Nothing was erased");
        let kept = refused.form("form[action$='/erase']");
        assert_eq!(kept.value("address"), Some(other));
    }
    assert_eq!(
        app.count("SELECT COUNT(*) FROM reader WHERE erased_ms IS NOT NULL")
            .await,
        0
    );
    // Erasing is no longer a choice in the form that asks for a reason.
    let stop = page.form("form[action$='/stop']");
    let stop = stop.choose("what", "!suppress").fill("reason", "x");
    let mut old = stop.clone();
    old.fields.retain(|(name, _)| name != "what");
    old.fields.push(("what".into(), "!erase".into()));
    browser
        .submit(old)
        .await
        .expect(422)
        .says("Choose what to do");
    let form = form.fill("address", &ADDRESS.to_uppercase());
    for _ in 0..2 {
        browser
            .submit(form.clone())
            .await
            .expect(200)
            .says("Erased");
    }
    browser.submit(stop).await.expect(422);
    assert_eq!(links(&app).await, []);
    let page = browser.get(&path).await.expect(200);
    assert!(!page.text().contains(ADDRESS) && !page.text().contains("Unsure"));
}
