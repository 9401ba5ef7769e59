//! Every page leads on: with a working link, a button, or instructions.

use std::time::Duration;

use canvass::db;
use canvass::types::Purpose;
use canvass::types::varint::pack;
use reqwest::Method;
use scraper::{Html, Selector};

use crate::subscriptions_double_opt_in::{ask, state_of};
use crate::support::app::{START, TestApp};
use crate::support::editor::signed_in;
use crate::support::issues::hand_over_about;
use crate::support::page::Page;
use crate::support::routes;
use crate::support::world::{Visitor, World};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn a_form_that_came_too_often_can_be_sent_again() {
    let app = TestApp::start_with(|c| c.limits.subscriptions_per_minute = 1).await;
    app.newsletter("premium").await;
    ask(&app, &app.reader(), "anna@example.org")
        .await
        .expect(200);
    let page = ask(&app, &app.reader(), "bert@example.org").await;
    let page = page.expect(429).says("reload this page");
    assert_eq!(page.attributes("main a.button", "href"), ["/"]);
}

#[tokio::test]
async fn an_editors_problem_leads_to_the_editors_side() {
    let app = TestApp::start().await;
    let editor = signed_in(&app).await;
    let form = editor.get("/admin/newsletters/new").await.expect(200);
    let form = form.form("main form[method=post]");
    let out = app.reader().submit(form.clone()).await.expect(401);
    assert_eq!(out.attributes("main a.button", "href"), ["/admin/sign-in"]);
    assert_eq!(out.attributes("a.mark", "href"), ["/admin"]);
    let stale = editor.submit(form.fill("csrf", "x")).await.expect(403);
    assert_eq!(stale.attributes("main a.button", "href"), ["/admin"]);
    let gone = editor.get("/admin/polls/nothing").await.expect(404);
    assert_eq!(gone.attributes("a.mark", "href"), ["/admin"]);
    let gone = app.reader().get("/nothing").await.expect(404);
    assert_eq!(gone.attributes("a.masthead-name", "href"), ["/"]);
}

#[tokio::test]
async fn a_form_from_elsewhere_leads_to_the_page_here() {
    let app = TestApp::start().await;
    app.newsletter("premium").await;
    let reader = app.reader();
    let mut form = reader
        .get("/subscribe/premium")
        .await
        .expect(200)
        .the_form();
    form.page = "https://evil.example/".parse().unwrap();
    let page = reader.submit(form).await.expect(403);
    let page = reader.follow(&page, "Open the page here").await;
    page.expect(200).says("Email address");
}

#[tokio::test]
async fn an_old_confirmation_says_that_the_subscription_has_ended() {
    let app = TestApp::start().await;
    app.newsletter("premium").await;
    let reader = app.reader();
    ask(&app, &reader, "anna@example.org").await.expect(200);
    let link = app.mail_to("anna@example.org", 1).await.link("/confirm/");
    let form = reader.get(&link).await.expect(200).the_form();
    let done = reader.submit(form.clone()).await.expect(200);
    reader.get(&link).await.expect(200).says("Already done");
    let preferences = reader.follow(&done, "Choose what you receive").await;
    let form_there = preferences.the_form().button("action", "leave-all");
    reader.submit(form_there).await.expect(200);
    for page in [reader.get(&link).await, reader.submit(form).await] {
        let page = page.expect(200).says("You no longer receive");
        assert!(!page.text().contains("nothing more to do"));
        assert!(
            page.links()
                .iter()
                .any(|(href, _)| href == "/subscribe/premium")
        );
    }
    assert_eq!(
        state_of(&app, "anna@example.org").await,
        2,
        "it brings nobody back"
    );
}

/// Every way in which a subscription can end has a page with a link onwards, in a fresh browser as well.
#[tokio::test]
async fn every_end_of_a_subscription_leads_on() {
    let app = TestApp::start().await;
    app.newsletter("premium").await;
    let reader = app.reader();
    ask(&app, &reader, "anna@example.org").await.expect(200);
    let link = app.mail_to("anna@example.org", 1).await.link("/confirm/");
    let elsewhere = app.reader();
    let form = elsewhere.get(&link).await.expect(200).the_form();
    let done = elsewhere.submit(form).await.expect(200);
    let again = app.reader().get(&link).await.expect(200);
    let unknown = reader.get("/confirm/nonsense").await.expect(404);
    for (page, says) in [
        (done, "You are subscribed"),
        (again, "Already done"),
        (unknown, "We do not recognise this link"),
    ] {
        let page = page.says(says);
        for to in page.attributes("main .actions a.button", "href") {
            reader.get(&to).await.expect(200);
        }
        let ways = page.attributes("main .actions a.button", "href");
        assert_eq!(ways.len(), 1, "{says}: {ways:?}");
    }
}

#[tokio::test]
async fn an_expired_link_to_ones_data_mails_a_fresh_one() {
    let app = TestApp::start().await;
    app.newsletter("premium").await;
    let reader = app.reader();
    let address = "anna@example.org";
    ask(&app, &reader, address).await.expect(200);
    let link = app.mail_to(address, 1).await.link("/confirm/");
    let form = reader.get(&link).await.expect(200).the_form();
    let done = reader.submit(form).await.expect(200);
    let manage = reader.follow(&done, "Choose what you receive").await;
    reader
        .submit(manage.the_form().button("action", "data"))
        .await
        .expect(200);
    let old = app.mail_to(address, 2).await.link("/data/");
    reader.get(&old).await.expect(200).says("What we keep");
    app.advance(25 * HOUR);
    reader.get(&format!("{old}/file")).await.expect(410);
    let page = reader.get(&old).await.expect(410);
    assert!(!page.text().contains(address), "it shows nothing");
    assert_eq!(app.mails_to(address).await.len(), 2, "a look mails nothing");
    let form = page.the_form().button("fresh", "1");
    reader
        .submit(form)
        .await
        .expect(200)
        .says("check your inbox");
    let fresh = app.mail_to(address, 3).await.link("/data/");
    assert_ne!(fresh, old);
    reader.get(&fresh).await.expect(200).says(address);
    // An invalid link has no reader to whom a fresh one could be mailed.
    reader.get("/data/nonsense").await.expect(404);
}

/// A page's links to other pages and its buttons.
fn ways(html: &str) -> usize {
    let css = "main a[href]:not([href^='#']), main form button:not([type=button])";
    let css = Selector::parse(css).unwrap();
    Html::parse_document(html).select(&css).count()
}

#[track_caller]
fn leads_on(page: Page, says: &str) -> Page {
    let page = page.says(says);
    assert!(ways(&page.body) > 0, "a dead end:\n{}", page.text());
    assert_eq!(
        page.all("main .actions:empty").len(),
        0,
        "room for no button"
    );
    page
}

/// Every page that a reader can open, in every state that the world of the tests has.
#[tokio::test(flavor = "multi_thread")]
async fn no_page_for_readers_is_a_dead_end() {
    let world = World::build().await;
    let (mut dead, mut seen) = (Vec::new(), 0);
    for route in routes::all(&world.app).await {
        for url in world.urls(&route) {
            let answer = world.send(Visitor::Stranger, Method::GET, &url).await;
            let kind = answer.headers().get("content-type");
            if !kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
                continue;
            }
            let html = answer.text().await.unwrap();
            if !html.contains("class=\"masthead-name\"") {
                continue;
            }
            seen += 1;
            if ways(&html) == 0 {
                dead.push(url);
            }
        }
    }
    assert!(seen > 20, "{seen} pages");
    assert!(dead.is_empty(), "{dead:#?}");
}

#[tokio::test]
async fn pages_after_a_press_lead_on() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("premium").await;
    let reader = app.reader();
    let address = "anna@example.org";
    ask(&app, &reader, address).await.expect(200);
    let old = app.mail_to(address, 1).await.link("/confirm/");
    app.advance(8 * 24 * HOUR);
    let form = reader.get(&old).await.expect(410).the_form();
    let page = reader.submit(form.button("fresh", "1")).await.expect(200);
    leads_on(page, "A new link is on its way");
    // A complaint before the button is pressed.
    let link = app.mail_to(address, 2).await.link("/confirm/");
    let form = reader.get(&link).await.expect(200).the_form();
    let hash = app.app.keys.address_hash(address).to_vec();
    let suppressed = async |sql: &str| {
        let txn = app.app.db.write_txn("test").await.unwrap();
        db::run(&*txn, sql, [hash.clone().into()]).await.unwrap();
        txn.commit().await.unwrap();
    };
    suppressed(
        "INSERT INTO suppression (address_hash, reason, note, created_ms) VALUES ($1, 2, '', 1)",
    )
    .await;
    let page = reader.submit(form.clone()).await.expect(409);
    let page = leads_on(page, "We cannot email this address");
    let from = newsletter.answers_to();
    let to = page.attributes("main a[href^='mailto:']", "href");
    assert_eq!(to, [format!("mailto:{from}")]);
    suppressed("DELETE FROM suppression WHERE address_hash = $1").await;
    let done = reader.submit(form).await.expect(200);
    let manage = reader.follow(&done, "Choose what you receive").await;
    let form = manage.the_form().button("action", "data");
    reader.submit(form).await.expect(200);
    let data = app.mail_to(address, 3).await.link("/data/");
    app.advance(25 * HOUR);
    let form = reader.get(&data).await.expect(410).the_form();
    let page = reader.submit(form.button("fresh", "1")).await.expect(200);
    leads_on(page, "A new link is on its way");
    let fresh = app.mail_to(address, 4).await.link("/data/");
    let form = reader.get(&fresh).await.expect(200).the_form();
    let page = reader.submit(form.tick("sure", "1")).await.expect(200);
    leads_on(page, "Everything about you has been erased");
}

#[tokio::test]
async fn a_poll_that_takes_no_answers_leads_on() {
    let app = TestApp::start().await;
    let later = |poll: &mut canvass::polls::Definition| poll.opens_at = Some(START + HOUR);
    app.poll_with("later", later).await;
    let over = |poll: &mut canvass::polls::Definition| poll.closes_at = Some(START + HOUR / 2);
    app.poll_with("over", over).await;
    let trust = app.poll("trust").await;
    let reader = app.reader();
    for path in ["/p/later", "/p/later/results"] {
        let page = reader.get(path).await.expect(200);
        leads_on(page, "This poll opens on");
    }
    app.advance(HOUR / 2);
    for path in ["/p/over", "/p/over/results"] {
        let page = reader.get(path).await.expect(200);
        let page = leads_on(page, "Closed");
        assert_eq!(page.all("main .actions a"), ["See all newsletters"]);
    }
    // The link of a reader who was erased since.
    let token = app
        .app
        .keys
        .seal(Purpose::Vote, &pack(&[trust.0, 1, 1, 99]));
    let page = reader.get(&format!("/v/{token}")).await.expect(200);
    let page = reader.follow(&page, "Answer on the poll’s page.").await;
    assert_eq!(page.expect(200).url.path(), "/p/trust");
}

#[tokio::test]
async fn the_archive_leads_back_to_newer_issues() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("premium").await;
    let reader = app.reader();
    let page = reader.get("/archive/premium").await.expect(200);
    page.says("No issue has been sent yet.");
    let now = app.app.clock.now();
    for n in 1..=31 {
        let subject = format!("Issue {n}");
        hand_over_about(&app.app.db, &newsletter, &subject, now, now + 48 * HOUR).await;
    }
    let txn = app.app.db.write_txn("test").await.unwrap();
    let sql = "UPDATE mailing SET started_ms = 1 WHERE started_ms IS NULL";
    db::run(&*txn, sql, []).await.unwrap();
    txn.commit().await.unwrap();
    let first = reader.get("/archive/premium").await.expect(200);
    assert_eq!(first.all("main [rel=prev]").len(), 0);
    let second = reader.follow(&first, "Older issues").await.expect(200);
    assert_eq!(second.all("main li").len(), 1);
    let back = reader.follow(&second, "Newer issues").await.expect(200);
    assert_eq!(back.all("main li").len(), 30);
    let past = reader.get("/archive/premium?page=9").await.expect(200);
    let past = past.says("There are no older issues.");
    let back = reader.follow(&past, "Newer issues").await.expect(200);
    assert_eq!(back.all("main li").len(), 30);
}
