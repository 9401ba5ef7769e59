//! Error pages lead on: with a working link, or instructions.

use std::time::Duration;

use crate::subscriptions_double_opt_in::{ask, state_of};
use crate::support::app::TestApp;
use crate::support::editor::signed_in;

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
