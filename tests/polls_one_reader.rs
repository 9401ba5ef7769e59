//! One reader has one ballot, whichever way it comes: from a browser, from a mail, before and after
//! an address is confirmed.

use std::time::Duration;

use canvass::polls::ballots::removal::{Selection, give_back};
use canvass::polls::ballots::{audit, verify};
use canvass::polls::by_slug;
use canvass::types::PollId;
use futures::future::join_all;
use http::StatusCode;

use crate::polls_elsewhere::link;
use crate::polls_set_aside::set_aside;
use crate::support::app::{START, TestApp};
use crate::support::inbox::Mail;
use crate::support::page::Page;
use crate::support::reader::Reader;

const ADDRESS: &str = "ada@example.org";
const SECOND: Duration = Duration::from_secs(1);

/// A poll that offers a newsletter.
async fn asked(app: &TestApp) -> PollId {
    let newsletter = app.newsletter("premium").await;
    app.poll_with("trust", |poll| poll.newsletter = Some(newsletter.id))
        .await
}

/// Answers on the poll's page and leaves the address.
async fn answer(app: &TestApp, reader: &Reader, option: &str) -> Mail {
    let before = app.mails_to(ADDRESS).await.len();
    let form = reader.get("/p/trust").await.expect(200).the_form();
    let form = form
        .choose("option", option)
        .fill("email", ADDRESS)
        .tick("consent", "1");
    reader.submit(form).await.expect(200).says("inbox");
    app.mail_to(ADDRESS, before + 1).await
}

async fn again(reader: &Reader, option: &str) -> Page {
    reader.post("/p/trust", &[("option", option)]).await
}

async fn press(app: &TestApp, reader: &Reader, path: &str) -> Page {
    let page = reader.get(path).await.expect(200);
    app.advance(SECOND);
    reader.submit(page.the_form()).await.expect(200)
}

/// The voters by tier. Also checks that log, ballots and tally agree.
async fn tiers(app: &TestApp) -> [i64; 4] {
    let poll = by_slug(&app.app.db, "trust").await.unwrap().unwrap();
    assert_eq!(audit(&app.app.db, &poll).await.unwrap(), []);
    let verified = verify(&app.app.db, poll.id).await.unwrap().unwrap();
    assert_eq!(verified.findings, Vec::<String>::new());
    let mut found = [0; 4];
    for (tier, n) in found.iter_mut().enumerate() {
        let sql = format!(
            "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM tally WHERE option_id = 0 AND tier = {tier}"
        );
        *n = app.count(&sql).await;
    }
    found
}

/// The votes for an option, over all tiers.
async fn votes(app: &TestApp, option: i64) -> i64 {
    let sql = format!(
        "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM tally WHERE option_id = (SELECT id FROM poll_option WHERE position = {option})"
    );
    app.count(&sql).await
}

#[tokio::test]
async fn polls_an_answer_rises_with_the_address_that_is_confirmed_elsewhere() {
    let app = TestApp::start().await;
    asked(&app).await;
    let (laptop, phone) = (app.reader(), app.reader());
    let mail = answer(&app, &laptop, "2").await;
    assert_eq!(tiers(&app).await, [1, 0, 0, 0]);

    let confirm = mail.link("/confirm/");
    let page = phone.get(&confirm).await.expect(200);
    let page = page.says("Do you trust the mainstream media?");
    assert!(
        !page.text().contains("No"),
        "who typed the address may be somebody else: the answer is not told"
    );
    assert_eq!(tiers(&app).await, [1, 0, 0, 0], "a look changes nothing");
    let form = page.the_form();
    let done = phone.submit(form.clone()).await.expect(200);
    done.says("now counts as a confirmed subscriber’s");
    assert_eq!(tiers(&app).await, [0, 0, 1, 0]);
    assert_eq!(votes(&app, 2).await, 1);

    // Pressing twice reports that it is already done.
    phone.submit(form).await.expect(200).says("Already done");
    assert_eq!(tiers(&app).await, [0, 0, 1, 0]);

    // The phone is signed in: it shows the answer and may change it.
    let page = phone.get("/p/trust").await.expect(200).says("subscriber");
    assert_eq!(page.attributes("input[checked]", "value")[0], "2");
    assert!(
        page.headers
            .get("cache-control")
            .is_none_or(|v| v != "public, max-age=0, s-maxage=60"),
        "what is said to a subscriber is not for caches"
    );
    again(&phone, "1").await.expect(200).says("counted");
    assert_eq!(tiers(&app).await, [0, 0, 0, 1]);
    assert_eq!((votes(&app, 1).await, votes(&app, 2).await), (1, 0));

    // The laptop is not signed in, and cannot get a second ballot.
    again(&laptop, "3").await.expect(409).says("counts already");
    let json = laptop.clone().with_header("accept", "application/json");
    let refused = again(&json, "3").await.expect(409);
    assert!(refused.body.contains("counts already"));
    assert_eq!(tiers(&app).await, [0, 0, 0, 1]);
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 2);
}

#[tokio::test]
async fn polls_an_answer_stays_as_it_is_for_who_unticks_the_box() {
    let app = TestApp::start().await;
    asked(&app).await;
    let reader = app.reader();
    let mail = answer(&app, &reader, "2").await;
    let page = reader.get(&mail.link("/confirm/")).await.expect(200);
    let done = reader.submit(page.the_form().untick("answer")).await;
    assert!(!done.expect(200).text().contains("confirmed subscriber"));
    assert_eq!(tiers(&app).await, [1, 0, 0, 0]);
}

#[tokio::test]
async fn polls_tokens_of_others_and_of_closed_polls_raise_nothing() {
    let app = TestApp::start().await;
    let poll = asked(&app).await;
    let reader = app.reader();
    let mail = answer(&app, &reader, "2").await;
    let confirm = mail.link("/confirm/");
    let (path, token) = confirm.split_once("?answer=").unwrap();
    for forged in ["x", "%00", &token[1..], &format!("{token}A")] {
        let page = reader.get(&format!("{path}?answer={forged}")).await;
        assert!(page.expect(200).attributes("#answer", "value").is_empty());
        let fields = [("answer", forged), ("answer", "x")];
        let twice = reader.post(path, &fields).await;
        assert_eq!(twice.status, StatusCode::BAD_REQUEST);
    }
    let sql = format!("UPDATE poll SET state = 2 WHERE id = {}", poll.0);
    let txn = app.app.db.write_txn("test").await.unwrap();
    canvass::db::run(&*txn, sql, []).await.unwrap();
    txn.commit().await.unwrap();
    reader
        .post(path, &[("answer", token)])
        .await
        .expect(200)
        .says("You are subscribed");
    assert_eq!(tiers(&app).await, [1, 0, 0, 0]);
}

#[tokio::test]
async fn polls_a_browser_and_a_mail_of_one_reader_are_one_ballot() {
    let app = TestApp::start().await;
    let poll = asked(&app).await;
    let reader = app.reader();
    again(&reader, "1").await.expect(200);
    let path = link(&app, poll, 2, ADDRESS).await;
    press(&app, &reader, &path).await.says("counted");
    assert_eq!(tiers(&app).await, [0, 0, 1, 0]);
    assert_eq!((votes(&app, 1).await, votes(&app, 2).await), (0, 1));
    // Back on the page, in this browser, the ballot belongs to the reader.
    again(&reader, "3").await.expect(200);
    assert_eq!(tiers(&app).await, [0, 0, 1, 0]);
    assert_eq!(votes(&app, 3).await, 1);
    // The cookie says so only for this poll.
    app.poll("other").await;
    let page = reader.get("/p/other").await.expect(200);
    assert!(!page.text().contains("subscriber"));
}

#[tokio::test]
async fn polls_the_later_of_two_answers_of_one_reader_counts() {
    let app = TestApp::start().await;
    let poll = asked(&app).await;
    let path = link(&app, poll, 2, ADDRESS).await;
    press(&app, &app.reader(), &path).await.says("counted");
    app.advance(SECOND);
    // She is not subscribed yet: the mail asks her to confirm.
    let (laptop, phone) = (app.reader(), app.reader());
    let mail = answer(&app, &laptop, "1").await;
    assert_eq!(tiers(&app).await, [1, 0, 1, 0]);
    press(&app, &phone, &mail.link("/confirm/")).await;
    assert_eq!(tiers(&app).await, [0, 0, 1, 0]);
    assert_eq!((votes(&app, 1).await, votes(&app, 2).await), (1, 0));
}

#[tokio::test]
async fn polls_who_subscribed_before_says_by_mail_that_the_answer_is_theirs() {
    let app = TestApp::start().await;
    asked(&app).await;
    let mail = answer(&app, &app.reader(), "1").await;
    press(&app, &app.reader(), &mail.link("/confirm/")).await;
    app.advance(Duration::from_secs(24 * 60 * 60));
    let laptop = app.reader();
    let mail = answer(&app, &laptop, "2").await;
    assert!(mail.subject.contains("already receive"), "{}", mail.subject);
    assert_eq!(tiers(&app).await, [1, 0, 1, 0]);
    let phone = app.reader();
    let page = phone.get(&mail.link("/v/")).await.expect(200);
    let page = page.says("Is this answer yours?");
    // The answer is not revealed before the button is pressed, nor to somebody who posts
    // without having opened the page.
    assert!(page.attributes("input[name=option]", "value").is_empty());
    let form = page.the_form();
    let blind = [("answer", form.value("answer").unwrap())];
    let path = page.url.path().to_owned();
    phone.post(&path, &blind).await.expect(409);
    phone
        .submit(page.the_form())
        .await
        .expect(409)
        .says("faster");
    assert_eq!(tiers(&app).await, [1, 0, 1, 0]);
    app.advance(SECOND);
    for _ in 0..2 {
        let done = phone.submit(page.the_form()).await.expect(200);
        done.says("counted");
        assert_eq!(tiers(&app).await, [0, 0, 1, 0]);
        assert_eq!(votes(&app, 2).await, 1);
    }
    // The laptop's ballot is handed over; the phone may change the reader's.
    again(&laptop, "3").await.expect(409).says("counts already");
    again(&phone, "3").await.expect(200);
    assert_eq!((tiers(&app).await, votes(&app, 3).await), ([0, 0, 1, 0], 1));
}

#[tokio::test]
async fn polls_what_was_set_aside_counts_once_its_reader_is_known() {
    let app = TestApp::start().await;
    let poll = asked(&app).await;
    let mail = answer(&app, &app.reader(), "2").await;
    again(&app.reader(), "1").await.expect(200);
    let (db, now) = (&app.app.db, app.app.clock.now());
    let all = Selection::default();
    let reason = "A burst";
    set_aside((db, 0), now, poll, &all, reason).await.unwrap();
    assert_eq!(tiers(&app).await, [0; 4]);
    let said = async || {
        let page = app.reader().get("/p/trust/results").await;
        page.expect(200).text()
    };
    assert!(
        said()
            .await
            .contains("2 answers were left out by the editors")
    );
    press(&app, &app.reader(), &mail.link("/confirm/")).await;
    assert_eq!(tiers(&app).await, [0, 0, 1, 0]);
    // The answer counts, so nobody is told any more that it does not.
    assert!(
        said()
            .await
            .contains("1 answer was left out by the editors")
    );
    let found = canvass::polls::ballots::verify(db, poll).await.unwrap();
    assert_eq!(found.unwrap().findings, Vec::<String>::new());
    for (gone, findings) in [(2, 1), (1, 0)] {
        let txn = db.write_txn("test").await.unwrap();
        let sql = format!("UPDATE ballot_removal SET gone = {gone}");
        canvass::db::run(&*txn, &sql, []).await.unwrap();
        txn.commit().await.unwrap();
        let found = canvass::polls::ballots::verify(db, poll).await.unwrap();
        assert_eq!(found.unwrap().findings.len(), findings);
    }
    // Only the other ballot is given back.
    assert_eq!(give_back(db, now, 0, poll, 1).await.unwrap(), 1);
    assert_eq!(tiers(&app).await, [1, 0, 1, 0]);
}

#[tokio::test]
async fn polls_many_presses_at_once_hand_over_once() {
    let app = TestApp::start().await;
    asked(&app).await;
    let laptop = app.reader();
    let mail = answer(&app, &laptop, "2").await;
    let page = app.reader().get(&mail.link("/confirm/")).await.expect(200);
    let form = page.the_form();
    let presses = (0..16).map(|_| {
        let (reader, form) = (app.reader(), form.clone());
        async move { reader.submit(form).await.status.as_u16() }
    });
    let changes = (0..16).map(|i| {
        let laptop = laptop.clone();
        async move {
            again(&laptop, if i % 2 == 0 { "1" } else { "3" })
                .await
                .status
                .as_u16()
        }
    });
    let (presses, changes) = tokio::join!(join_all(presses), join_all(changes));
    assert!(presses.iter().all(|status| *status == 200), "{presses:?}");
    assert!(
        changes.iter().all(|status| [200, 409].contains(status)),
        "{changes:?}"
    );
    assert_eq!(tiers(&app).await, [0, 0, 1, 0]);
}

/// Whoever gets the mail forwarded opens the same pages as its reader.
#[tokio::test]
async fn polls_a_forwarded_mail_does_not_show_what_its_reader_answered() {
    let app = TestApp::start().await;
    let poll = app
        .poll_with("trust", |poll| poll.closes_at = Some(START + SECOND * 60))
        .await;
    let link = link(&app, poll, 0, ADDRESS).await;
    let (reader, friend) = (app.reader(), app.reader());
    let form = reader.get(&link).await.expect(200).the_form();
    app.advance(SECOND);
    let page = reader.submit(form.choose("option", "2")).await.expect(200);
    assert_eq!(page.all("tr.is-own .result-label"), ["No"]);
    let results = format!("{link}/results");
    let others = |page: Page| {
        let page = page
            .expect(200)
            .says("An answer has been given by this link");
        assert_eq!(page.all("tr.is-own"), Vec::<String>::new());
        assert!(!page.body.contains("Your answer"), "{}", page.body);
    };
    others(friend.get(&results).await);
    let form = friend.get(&link).await.expect(200);
    assert_eq!(
        form.attributes("input[checked]", "value"),
        Vec::<String>::new()
    );
    // The same where no result is shown, and after the close.
    hide_results(&app).await;
    others(friend.get(&results).await);
    reader
        .get(&results)
        .await
        .expect(200)
        .says("Your answer: No");
    app.advance(SECOND * 60);
    others(friend.get(&link).await);
    others(friend.get(&results).await);
    reader.get(&link).await.expect(200).says("Your answer: No");
}

async fn hide_results(app: &TestApp) {
    let txn = app.app.db.write_txn("test").await.unwrap();
    let sql = "UPDATE poll SET visibility = 3, revision = revision + 1";
    canvass::db::run(&*txn, sql, []).await.unwrap();
    txn.commit().await.unwrap();
}
