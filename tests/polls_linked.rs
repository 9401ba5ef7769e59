//! Linked polls: an answer is joined to an address only if its reader ticked the box, and the link
//! says what the ballot says.

use std::time::Duration;

use canvass::db::{fetch_all, run};
use canvass::polls::ballots::{audit, verify};
use canvass::polls::{Choice, by_slug};
use canvass::types::PollId;
use futures::future::join_all;

use crate::polls_elsewhere::link;
use crate::support::app::{START, TestApp};
use crate::support::page::{Form, Page};
use crate::support::reader::Reader;

pub const WORDS: &str = "The newsroom may keep my answer with my address and write to me about it.";
pub const ADDRESS: &str = "ada@example.org";
pub const SECOND: Duration = Duration::from_secs(1);

/// A linked poll that offers a newsletter.
pub async fn asked(app: &TestApp) -> PollId {
    let newsletter = app.newsletter("premium").await;
    app.poll_with("trust", |poll| {
        poll.newsletter = Some(newsletter.id);
        poll.linking = Some(WORDS.to_owned());
    })
    .await
}

/// Every link: the address and the option's key. Also checks that log, ballots, tally and links agree.
pub async fn links(app: &TestApp) -> Vec<(String, i64)> {
    let db = &app.app.db;
    let poll = by_slug(db, "trust").await.unwrap().unwrap();
    let verified = verify(db, poll.id).await.unwrap().unwrap();
    assert_eq!(verified.findings, Vec::<String>::new());
    assert_eq!(audit(db, &poll).await.unwrap(), []);
    let sql = "SELECT r.email, l.choices, l.agreed_ms, l.linked_ms FROM ballot_link l JOIN reader r ON r.id = l.reader_id ORDER BY r.email";
    let rows = fetch_all(db.read(), sql, []).await.unwrap();
    assert_eq!(verified.linked, rows.len() as i64);
    rows.iter()
        .map(|row| {
            let choices: Vec<u8> = row.try_get("", "choices").unwrap();
            let [agreed, linked] =
                ["agreed_ms", "linked_ms"].map(|c| row.try_get::<i64>("", c).unwrap());
            assert!(agreed <= linked);
            let keys = poll.keys(Choice::from_stored(&choices).options());
            (row.try_get("", "email").unwrap(), keys[0])
        })
        .collect()
}

pub fn one(key: i64) -> Vec<(String, i64)> {
    vec![(ADDRESS.to_owned(), key)]
}

/// The form on the poll's own page, filled in.
async fn filled(reader: &Reader, option: &str) -> Form {
    let page = reader.get("/p/trust").await.expect(200);
    page.the_form().choose("option", option)
}

/// Ticks the consent box, as a person does who has read its text.
pub fn agree(page: &Page, form: Form) -> Form {
    assert!(
        page.all("label.check").iter().any(|words| words == WORDS),
        "the words stand beside the box: {}",
        page.text()
    );
    let version = &page.attributes("input#link", "value")[0];
    form.tick("link", version)
}

pub fn is_ticked(page: &Page) -> bool {
    !page.attributes("input#link[checked]", "value").is_empty()
}

/// Answers, leaves the address, and opens the link in the mail.
pub async fn left(app: &TestApp, reader: &Reader, agreed: bool) -> Page {
    let page = reader.get("/p/trust").await.expect(200);
    let mut form = page
        .the_form()
        .choose("option", "2")
        .fill("email", ADDRESS)
        .tick("consent", "1");
    if agreed {
        form = agree(&page, form);
    }
    reader.submit(form).await.expect(200).says("inbox");
    app.advance(SECOND);
    let mail = app.mail_to(ADDRESS, 1).await;
    reader.get(&mail.link("/confirm/")).await.expect(200)
}

/// A reader who is signed in.
pub async fn signed_in(app: &TestApp) -> Reader {
    let reader = app.reader();
    let page = left(app, &reader, false).await;
    reader.submit(page.the_form()).await.expect(200);
    reader
}

/// Opens the personal link, answers, and ticks or unticks the box.
pub async fn by_mail(app: &TestApp, path: &str, option: &str, agreed: bool) -> Page {
    let reader = app.reader();
    let page = reader.get(path).await.expect(200);
    app.advance(SECOND);
    let form = page.the_form().choose("option", option);
    let form = match (agreed, is_ticked(&page)) {
        (true, false) => agree(&page, form),
        (false, true) => form.untick("link"),
        _ => form,
    };
    reader.submit(form).await.expect(200).says("counted")
}

#[tokio::test]
async fn polls_linked_an_address_that_is_left_is_joined_once_it_is_confirmed() {
    let app = TestApp::start().await;
    asked(&app).await;
    let reader = app.reader();
    let page = reader.get("/p/trust").await.expect(200);
    assert!(!is_ticked(&page), "never for anybody");
    let page = left(&app, &reader, true).await;
    assert_eq!(links(&app).await, [], "nobody has confirmed");
    let page = page.says(WORDS);
    assert!(
        !is_ticked(&page),
        "who ticked it before may have been anybody"
    );
    let form = page.the_form().tick("link", "1");
    let done = reader.submit(form.clone()).await.expect(200);
    done.says("It is kept with your address, as you agreed");
    assert_eq!(links(&app).await, one(2));
    // Submitting again changes nothing.
    reader.submit(form).await.expect(200).says("Already done");
    assert_eq!(links(&app).await, one(2));
    let page = reader.get("/p/trust/results").await.expect(200);
    page.says("Your answer is kept with your address");
    let stranger = app.reader().get("/p/trust/results").await.expect(200);
    assert!(
        !stranger
            .text()
            .contains("kept with your address, as you agreed")
    );
}

#[tokio::test]
async fn polls_linked_without_the_tick_nothing_is_joined() {
    let app = TestApp::start().await;
    asked(&app).await;
    let reader = app.reader();
    let page = left(&app, &reader, false).await;
    assert!(!page.text().contains(WORDS), "it was not agreed to");
    let mut form = page.the_form();
    // Consent that was not given with the answer cannot be slipped in at the confirmation.
    form.fields.push(("link".into(), "1".into()));
    let done = reader.submit(form).await.expect(200);
    done.says("now counts as a confirmed subscriber’s");
    assert_eq!(links(&app).await, []);
}

#[tokio::test]
async fn polls_linked_who_does_not_tick_it_at_the_confirmation_stays_secret() {
    let app = TestApp::start().await;
    asked(&app).await;
    let reader = app.reader();
    let page = left(&app, &reader, true).await;
    let done = reader.submit(page.the_form()).await;
    let done = done.expect(200).says("now counts as a confirmed");
    assert!(
        !done
            .text()
            .contains("kept with your address, as you agreed")
    );
    assert_eq!(links(&app).await, []);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM tally WHERE tier = 2").await,
        2
    );
}

#[tokio::test]
async fn polls_linked_a_tick_without_an_address_is_told_and_joins_nothing() {
    let app = TestApp::start().await;
    asked(&app).await;
    let reader = app.reader();
    let page = reader.get("/p/trust").await.expect(200);
    let form = agree(&page, page.the_form().choose("option", "1"));
    let page = reader.submit(form).await.expect(422);
    let page = page
        .says("Your answer has been counted")
        .says("Enter your email address");
    assert!(is_ticked(&page), "what was ticked is kept");
    assert_eq!(links(&app).await, []);
    let form = page.the_form().fill("email", ADDRESS).tick("consent", "1");
    reader.submit(form).await.expect(200).says("inbox");
    let confirm = app.mail_to(ADDRESS, 1).await.link("/confirm/");
    let page = reader.get(&confirm).await.expect(200);
    let form = page.the_form().tick("link", "1");
    reader.submit(form).await.expect(200);
    assert_eq!(links(&app).await, one(1));
}

#[tokio::test]
async fn polls_linked_the_box_in_a_mail_decides_each_time() {
    let app = TestApp::start().await;
    let poll = asked(&app).await;
    let path = link(&app, poll, 1, ADDRESS).await;
    let page = app.reader().get(&path).await.expect(200);
    let page = page.says("only if you tick the box");
    assert!(!is_ticked(&page));
    by_mail(&app, &path, "1", false).await;
    assert_eq!(links(&app).await, []);
    let page = by_mail(&app, &path, "1", true).await;
    page.says("Your answer is kept with your address");
    assert_eq!(links(&app).await, one(1), "the same answer, now agreed to");
    assert!(is_ticked(&app.reader().get(&path).await.expect(200)));
    by_mail(&app, &path, "3", true).await;
    assert_eq!(links(&app).await, one(3), "a changed answer");
    let page = by_mail(&app, &path, "3", false).await;
    assert!(
        !page
            .text()
            .contains("kept with your address, as you agreed")
    );
    assert_eq!(links(&app).await, [], "the same answer, taken back");
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 1);
}

#[tokio::test]
async fn polls_linked_a_signed_in_reader_decides_on_the_polls_page() {
    let app = TestApp::start().await;
    asked(&app).await;
    let reader = signed_in(&app).await;
    let page = reader.get("/p/trust").await.expect(200);
    let page = page.says("It stays secret unless you tick the box");
    assert!(!is_ticked(&page));
    let form = agree(&page, page.the_form().choose("option", "3"));
    let page = reader.submit(form).await.expect(200).says("counted");
    page.says("Your answer is kept with your address");
    assert_eq!(links(&app).await, one(3));
    // An invalid answer is shown again with its tick.
    let empty = form_without_option(&reader).await;
    assert!(empty.value("link").is_some());
    let page = reader.submit(empty).await.expect(422);
    assert!(is_ticked(&page));
    assert_eq!(links(&app).await, one(3));
    let form = filled(&reader, "1").await.untick("link");
    reader.submit(form).await.expect(200).says("counted");
    assert_eq!(links(&app).await, []);
    // In an article the form does not know its reader, but the tick of a known reader counts at once.
    let fields = [("option", "1"), ("place", "article"), ("link", "yes")];
    reader.post("/p/trust", &fields).await.expect(200);
    assert_eq!(links(&app).await, one(1));
    // On a shared computer, the typed address is not that of the known reader.
    let other = [("email", "bob@example.org"), ("consent", "1")];
    let fields: Vec<_> = fields.into_iter().chain(other).collect();
    reader.post("/p/trust", &fields).await.expect(200);
    assert_eq!(links(&app).await, []);
    let own = [fields[0], fields[2], ("email", ADDRESS), ("consent", "1")];
    reader.post("/p/trust", &own).await.expect(200);
    assert_eq!(links(&app).await, one(1));
}

pub async fn form_without_option(reader: &Reader) -> Form {
    let page = reader.get("/p/trust").await.expect(200);
    let mut form = page.the_form();
    form.fields.retain(|(name, _)| name != "option");
    form
}

#[tokio::test]
async fn polls_linked_a_later_answer_that_was_not_agreed_to_ends_the_link() {
    let app = TestApp::start().await;
    let poll = asked(&app).await;
    let path = link(&app, poll, 1, ADDRESS).await;
    by_mail(&app, &path, "1", true).await;
    app.advance(SECOND);
    // In another browser, anonymous at first, and then known by the link in a mail whose form was never submitted.
    let reader = app.reader();
    reader
        .post("/p/trust", &[("option", "2")])
        .await
        .expect(200);
    assert_eq!(links(&app).await, one(1));
    let page = reader.get(&path).await.expect(200);
    app.advance(SECOND);
    let mut form = page.the_form();
    form.fields.retain(|(name, _)| name != "option");
    reader.submit(form).await.expect(422);
    assert_eq!(links(&app).await, [], "the ballot says something else now");
    // Handing over an identical answer does not remove the link.
    by_mail(&app, &path, "2", true).await;
    let reader = app.reader();
    reader
        .post("/p/trust", &[("option", "2")])
        .await
        .expect(200);
    let page = reader.get(&path).await.expect(200);
    app.advance(SECOND);
    let mut form = page.the_form();
    form.fields.retain(|(name, _)| name != "option");
    reader.submit(form).await.expect(422);
    assert_eq!(links(&app).await, one(2));
}

#[tokio::test]
async fn polls_linked_many_presses_at_once_leave_one_that_agrees_with_the_ballot() {
    let app = TestApp::start().await;
    let poll = asked(&app).await;
    let path = link(&app, poll, 1, ADDRESS).await;
    let page = app.reader().get(&path).await.expect(200);
    app.advance(SECOND);
    for round in 0..4 {
        let presses = (0..12).map(|i| {
            let mut form = page
                .the_form()
                .choose("option", &(1 + (i + round) % 3).to_string());
            if i % 2 == round % 2 {
                form = agree(&page, form);
            }
            let reader = app.reader();
            async move { reader.submit(form).await.status.as_u16() }
        });
        assert!(join_all(presses).await.iter().all(|status| *status == 200));
        // Whichever press came last: `links` has compared the link with the ballot.
        assert!(links(&app).await.len() <= 1);
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 1);
}

/// The ballot still counts, and no link that is still in an inbox reveals what it says.
#[tokio::test]
async fn polls_an_erased_readers_link_tells_no_answer() {
    let app = TestApp::start().await;
    let poll = app
        .poll_with("trust", |d| d.closes_at = Some(START + 60 * SECOND))
        .await;
    let path = link(&app, poll, 2, ADDRESS).await;
    let page = app.reader().get(&path).await.expect(200);
    app.advance(SECOND);
    let own = app.reader().submit(page.the_form()).await.expect(200);
    assert_eq!(own.all("tr.is-own .result-label"), ["No"]);
    let txn = app.app.db.write_txn("test").await.unwrap();
    run(&*txn, "UPDATE reader SET erased_ms = 1", [])
        .await
        .unwrap();
    txn.commit().await.unwrap();
    let results = format!("{path}/results");
    let tells = async |to: &str| {
        let page = app.reader().get(to).await.expect(200);
        !page.all("tr.is-own").is_empty() || page.text().contains("Your answer has been counted")
    };
    assert!(!tells(&results).await, "while the poll is open");
    app.advance(60 * SECOND);
    assert!(!tells(&path).await && !tells(&results).await, "after it");
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 1);
}

#[tokio::test]
async fn polls_linked_an_erased_reader_is_joined_to_nothing() {
    let app = TestApp::start().await;
    let poll = asked(&app).await;
    let mut raced = None;
    for (attempt, wait) in [300, 1_000, 4_000].into_iter().enumerate() {
        let path = link(&app, poll, 1, &format!("ada{attempt}@example.org")).await;
        let page = app.reader().get(&path).await.expect(200);
        app.advance(SECOND);
        let form = agree(&page, page.the_form());
        // The reader is erased while the answer is on its way into the box.
        let db = app.app.db.clone();
        let txn = db.write_txn("test").await.unwrap();
        let reader = app.reader();
        let sending = tokio::spawn(async move { reader.submit(form).await });
        run(&*txn, "UPDATE reader SET erased_ms = 1", [])
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        txn.commit().await.unwrap();
        let sent = sending.await.unwrap();
        assert_eq!(app.count("SELECT COUNT(*) FROM ballot_link").await, 0);
        // If the answer was too late for the race, it was rejected because the reader is gone, and
        // another attempt is needed.
        if sent.status == 200 {
            raced = Some(path);
            break;
        }
    }
    let path = raced.expect("an answer that was on its way");
    // A link that is still in an inbox says that it counts nothing, and reveals nothing about who answered.
    let old = app.reader().get(&path).await.expect(200);
    let old = old.says("reader’s data has been erased");
    assert!(!old.text().contains("already answered this poll"));
    app.advance(SECOND);
    let late = app.reader().submit(old.the_form()).await.expect(409);
    late.says("not counted");
}
