//! Issues for readers who agreed and gave a certain answer, and exporting linked answers.

use std::time::Duration;

use canvass::db::{fetch_all, run};
use canvass::types::varint::pack;
use canvass::types::{PollId, Purpose, ReaderId};
use serde_json::Value;

use crate::polls_linked::{WORDS, agree, links};
use crate::support::app::TestApp;
use crate::support::editor::signed_in;
use crate::support::issues::subscribe;
use crate::support::page::{Form, Page};
use crate::support::reader::Reader;

const SECOND: Duration = Duration::from_secs(1);
const LINKED: &str = "/admin/polls/trust/linked";

/// A newsletter with this many subscribers, a linked poll, and an editor.
pub async fn newsroom(subscribers: i64) -> (TestApp, PollId, Reader) {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("morning").await;
    subscribe(&app, &newsletter, subscribers).await;
    let poll = app
        .poll_with("trust", |poll| {
            poll.newsletter = Some(newsletter.id);
            poll.linking = Some(WORDS.to_owned());
        })
        .await;
    let editor = signed_in(&app).await;
    (app, poll, editor)
}

/// The only issue cannot be read on the web, not even by somebody who can guess its URL.
pub async fn in_no_archive(app: &TestApp) {
    let rows = fetch_all(app.app.db.read(), "SELECT slug FROM issue", [])
        .await
        .unwrap();
    let slug: String = rows[0].try_get("", "slug").unwrap();
    let page = app.reader().get(&format!("/archive/morning/{slug}")).await;
    page.expect(404);
}

/// The subscribers, in the order of their ids.
pub async fn readers(app: &TestApp) -> Vec<(ReaderId, String)> {
    let sql = "SELECT id, email FROM reader ORDER BY id";
    let rows = fetch_all(app.app.db.read(), sql, []).await.unwrap();
    rows.iter()
        .map(|row| {
            (
                row.try_get("", "id").unwrap(),
                row.try_get("", "email").unwrap(),
            )
        })
        .collect()
}

/// A reader answers by a personal link, with or without agreeing to the link.
pub async fn answer(app: &TestApp, poll: PollId, reader: ReaderId, option: i64, agreed: bool) {
    let token = app
        .app
        .keys
        .seal(Purpose::Vote, &pack(&[poll.0, option, reader.0]));
    let browser = app.reader();
    let page = browser.get(&format!("/v/{token}")).await.expect(200);
    app.advance(SECOND);
    let ticked = !page.attributes("input#link[checked]", "value").is_empty();
    let form = page.the_form();
    let form = match (agreed, ticked) {
        (true, false) => agree(&page, form),
        (false, true) => form.untick("link"),
        _ => form,
    };
    browser.submit(form).await.expect(200).says("counted");
}

/// The form for writing to the readers who chose these options.
async fn chosen(editor: &Reader, options: &[&str]) -> Form {
    let page = editor.get(LINKED).await.expect(200);
    let mut form = page.form("form[action$='/linked/issue']");
    for option in options {
        form = form.tick("option", option);
    }
    form
}

/// Opens the page before sending, and presses its button.
async fn send(editor: &Reader, draft: &Page) -> Page {
    let page = editor.get(&format!("{}/send", draft.url.path())).await;
    let page = page.expect(200).says("and agreed to get mail about it");
    editor.submit(page.form("form[action$='/send']")).await
}

pub async fn inboxes(app: &TestApp) -> Vec<String> {
    let sql = "SELECT DISTINCT envelope_to FROM captured_mail WHERE envelope_to LIKE 'reader%' ORDER BY envelope_to";
    let rows = fetch_all(app.app.db.read(), sql, []).await.unwrap();
    rows.iter()
        .map(|row| row.try_get_by_index(0).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_linked_an_issue_goes_to_those_who_agreed_and_answered_so() {
    let (app, poll, editor) = newsroom(26).await;
    let all = readers(&app).await;
    editor
        .get(LINKED)
        .await
        .expect(200)
        .says("Nobody has agreed yet");
    // Twelve "Yes" and four "Unsure" with consent, five "Yes" without, five "No" with.
    for (at, (reader, _)) in all.iter().enumerate() {
        let (option, agreed) = match at {
            0..12 => (1, true),
            12..16 => (3, true),
            16..21 => (1, false),
            _ => (2, true),
        };
        answer(&app, poll, *reader, option, agreed).await;
    }
    let page = editor.get(LINKED).await.expect(200);
    let page = page
        .says(WORDS)
        .says("Linked answers 21")
        .says("Answered 26");
    assert_eq!(page.all("td.num"), ["12", "5", "4"]);

    // Too few readers, or nothing chosen: refused, and the selection is kept.
    let refused = editor.submit(chosen(&editor, &["3"]).await).await;
    let refused = refused.expect(422).says("chosen by 4 readers who agreed");
    assert_eq!(
        refused.attributes("input[name=option][checked]", "value"),
        ["3"]
    );
    let refused = editor.submit(chosen(&editor, &[]).await).await;
    refused.expect(422).says("Choose at least one answer");
    assert_eq!(app.count("SELECT COUNT(*) FROM issue").await, 0);

    let draft = editor.submit(chosen(&editor, &["1", "3"]).await).await;
    let draft = draft
        .expect(200)
        .says("who answered “Yes” or “Unsure” to “Do you trust the mainstream media?”");
    // Between writing and sending, one withdraws consent, one changes to "No", one agrees who had
    // not, and one unsubscribes.
    answer(&app, poll, all[0].0, 1, false).await;
    answer(&app, poll, all[1].0, 2, true).await;
    answer(&app, poll, all[16].0, 1, true).await;
    let txn = app.app.db.write_txn("test").await.unwrap();
    let left = "UPDATE subscription SET state = 2 WHERE reader_id = $1";
    run(&*txn, left, [all[2].0.into()]).await.unwrap();
    txn.commit().await.unwrap();
    let page = editor.get(&format!("{}/send", draft.url.path())).await;
    page.says("14 readers").says("do not get this newsletter");
    send(&editor, &draft).await.expect(200);
    app.wait_until("SELECT COUNT(*) FROM mailing WHERE state = 4", 1)
        .await;
    let mut meant: Vec<String> = [(3..16), (16..17)]
        .into_iter()
        .flatten()
        .map(|at: usize| all[at].1.clone())
        .collect();
    meant.sort();
    assert_eq!(inboxes(&app).await, meant);
    let archive = app.reader().get("/archive/morning").await.expect(200);
    assert!(!archive.text().contains("About your answer"));
    let mail = app.mail_to(&meant[0], 1).await;
    assert!(!mail.text.contains("Read it on the web"), "{}", mail.text);
    in_no_archive(&app).await;
    links(&app).await;
}

#[tokio::test]
async fn polls_linked_a_second_click_leads_to_the_same_draft() {
    let (app, poll, editor) = newsroom(10).await;
    for (reader, _) in readers(&app).await {
        answer(&app, poll, reader, 1, true).await;
    }
    let form = chosen(&editor, &["1"]).await;
    let draft = editor.submit(form.clone()).await.expect(200).url;
    // The same words, to more readers: meant.
    let wider = chosen(&editor, &["1", "2"]).await;
    let other = editor.submit(wider.clone()).await.expect(200).url;
    assert_ne!(other, draft);
    assert_eq!(editor.submit(form).await.expect(200).url, draft);
    assert_eq!(editor.submit(wider).await.expect(200).url, other);
    assert_eq!(app.count("SELECT COUNT(*) FROM issue").await, 2);
    assert_eq!(app.count("SELECT COUNT(*) FROM issue_segment").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_linked_a_segment_that_has_become_small_is_not_written_to() {
    let (app, poll, editor) = newsroom(10).await;
    let all = readers(&app).await;
    for (reader, _) in &all {
        answer(&app, poll, *reader, 1, true).await;
    }
    let draft = editor
        .submit(chosen(&editor, &["1"]).await)
        .await
        .expect(200);
    answer(&app, poll, all[4].0, 1, false).await;
    let page = editor.get(&format!("{}/send", draft.url.path())).await;
    let page = page.expect(200).says("Fewer than ten readers would get it");
    assert!(!page.attributes(".button-primary", "disabled").is_empty());
    // Somebody else had opened the page before.
    let revision = page.attributes("input[name=revision]", "value")[0].clone();
    let csrf = page.attributes("input[name=csrf]", "value")[0].clone();
    let fields = [("revision", revision.as_str()), ("csrf", csrf.as_str())];
    let send = format!("{}/send", draft.url.path());
    let sent = editor.post(&send, &fields).await;
    assert!(!sent.text().contains("Sending"), "{}", sent.text());
    // As the schedule does: held, for a person to decide.
    let sql = "UPDATE issue SET state = 1, scheduled_ms = $1";
    let txn = app.app.db.write_txn("test").await.unwrap();
    run(&*txn, sql, [app.app.clock.now().into()]).await.unwrap();
    txn.commit().await.unwrap();
    canvass::digests::tick(&app.app).await.unwrap();
    assert_eq!(app.count("SELECT COUNT(*) FROM mailing").await, 0);
    assert_eq!(app.count("SELECT COUNT(*) FROM mailing_only").await, 0);
    let page = editor.get(draft.url.path()).await.expect(200);
    page.says("Fewer than ten readers would get it");
    assert_eq!(inboxes(&app).await, Vec::<String>::new());
    // The draft can be deleted.
    let sql = "UPDATE issue SET state = 0, scheduled_ms = NULL";
    let txn = app.app.db.write_txn("test").await.unwrap();
    run(&*txn, sql, []).await.unwrap();
    txn.commit().await.unwrap();
    let page = editor.get(draft.url.path()).await.expect(200);
    let ask = page.form("form[action$='/delete']");
    let sure = editor.submit(ask).await.expect(200);
    editor
        .submit(sure.form("form[action$='/delete']"))
        .await
        .expect(200);
    assert_eq!(app.count("SELECT COUNT(*) FROM issue_segment").await, 0);
}

#[tokio::test]
async fn polls_linked_answers_are_taken_away_by_name_and_of_those_who_agreed() {
    let (app, poll, editor) = newsroom(4).await;
    let all = readers(&app).await;
    for (at, (reader, _)) in all.iter().enumerate() {
        answer(&app, poll, *reader, 1 + at as i64 % 3, at != 1).await;
    }
    let txn = app.app.db.write_txn("test").await.unwrap();
    let named = "UPDATE reader SET name = '=1+1' WHERE id = $1";
    run(&*txn, named, [all[0].0.into()]).await.unwrap();
    txn.commit().await.unwrap();
    let page = editor.get(LINKED).await.expect(200);
    let form = page.form("form[action$='/linked/export']");
    let csv = editor.submit(form.clone().button("format", "csv")).await;
    let csv = csv.expect(200);
    let said = csv.headers["content-disposition"].to_str().unwrap();
    assert!(said.contains("trust-linked.csv"), "{said}");
    let mut reader = csv::Reader::from_reader(csv.body.trim_start_matches('\u{feff}').as_bytes());
    assert_eq!(reader.headers().unwrap().len(), 12);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let emails: Vec<&str> = rows.iter().map(|row| &row[0]).collect();
    assert_eq!(emails, [0, 2, 3].map(|at: usize| all[at].1.as_str()));
    assert_eq!((&rows[0][1], &rows[0][5]), ("'=1+1", "Yes"));
    let json = editor.submit(form.clone().button("format", "json")).await;
    let json: Value = serde_json::from_str(&json.expect(200).body).unwrap();
    assert_eq!(json["consent"], WORDS);
    assert_eq!(json["linked"].as_array().unwrap().len(), 3);
    assert_eq!(json["linked"][1]["option"], "Unsure");
    assert_eq!(json["dictionary"].as_array().unwrap().len(), 12);
    for field in json["dictionary"].as_array().unwrap() {
        let name = field["field"].as_str().unwrap();
        assert!(json["linked"][0].get(name).is_some(), "{name}");
    }
    let page = editor.get(LINKED).await.expect(200);
    let taken = page.all("#taken ~ div tbody tr");
    assert_eq!(taken.len(), 2);
    assert!(taken[0].contains("Mara") && taken[0].contains("3 readers"));
    // No export by a GET, by a stranger, in an unknown format, or for a secret poll.
    let get = editor.get(&format!("{LINKED}/export")).await;
    assert_eq!(get.status.as_u16(), 405);
    let odd = editor.submit(form.clone().fill("csrf", "x").button("format", "csv"));
    assert!(odd.await.status.is_client_error());
    let stranger = app.reader();
    let path = format!("{LINKED}/export");
    let page = stranger.post(&path, &[("format", "csv")]).await;
    assert!(!page.body.contains("@example"));
    let mut other = form;
    other.fields.push(("format".into(), "xlsx".into()));
    editor.submit(other).await.expect(422);
    app.poll("secret").await;
    editor.get("/admin/polls/secret/linked").await.expect(404);
    let page = editor.get("/admin/polls/secret").await.expect(200);
    assert!(!page.text().contains("Linked answers"));
    assert_eq!(app.count("SELECT COUNT(*) FROM link_export").await, 2);
    // The export that everybody can make still contains only counts.
    let file = editor.get("/admin/polls/trust/export/poll.json").await;
    assert!(!file.expect(200).body.contains("@example"));
}
