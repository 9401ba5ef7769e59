//! Signing readers in by confirming: only our own page can do it, and another person in that browser can say "not me".

use reqwest::header::SET_COOKIE;

use crate::polls_linked::{
    ADDRESS, SECOND, agree, asked, form_without_option, left, links, one, signed_in,
};
use crate::subscriptions_double_opt_in::{ask, state_of};
use crate::support::app::TestApp;
use crate::support::page::Page;
use crate::support::reader::Reader;

const COOKIE: &str = "canvass_reader=";

/// Another site's page sends the form of its owner's own link in a visitor's browser.
#[tokio::test]
async fn another_sites_page_confirms_nobody_and_signs_nobody_in() {
    let app = TestApp::start().await;
    app.newsletter("premium").await;
    ask(&app, &app.reader(), ADDRESS).await.expect(200);
    let link = app.mail_to(ADDRESS, 1).await.link("/confirm/");
    let visitor = app.reader();
    let mut form = visitor.get(&link).await.expect(200).the_form();
    form.page = "https://evil.example/".parse().unwrap();
    let page = visitor.submit(form.clone()).await.expect(403);
    page.clone().says("another site");
    assert!(!page.headers.contains_key(SET_COOKIE));
    // A page can also hide its origin; browsers then say only that it is another site.
    let hidden = app
        .reader()
        .with_header("origin", "null")
        .with_header("sec-fetch-site", "cross-site");
    hidden.submit(form.clone()).await.expect(403);
    assert_eq!(state_of(&app, ADDRESS).await, 0);

    // An old browser without fetch metadata, on a page that hides its origin, can confirm, but is not signed in.
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let sent = client.post(form.action.clone()).header("origin", "null");
    let answer = sent.form(&form.fields).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!answer.headers().contains_key(SET_COOKIE));
    assert_eq!(state_of(&app, ADDRESS).await, 1);
}

#[tokio::test]
async fn our_own_page_signs_the_reader_in() {
    let app = TestApp::start().await;
    asked(&app).await;
    let reader = app.reader();
    let page = left(&app, &reader, false).await;
    let done = reader.submit(page.the_form()).await.expect(200);
    let cookie = done.headers[SET_COOKIE].to_str().unwrap().to_owned();
    assert!(cookie.starts_with(COOKIE), "{cookie}");
}

async fn is_known(reader: &Reader) -> bool {
    let page = reader.get("/p/trust").await.expect(200);
    page.text().contains("This browser belongs to a subscriber")
}

#[tokio::test]
async fn a_known_browser_says_whose_it_is_and_can_be_forgotten() {
    let app = TestApp::start().await;
    asked(&app).await;
    let reader = signed_in(&app).await;
    // Also through a mail's link, which sets a cookie of its own.
    let id = format!("SELECT id FROM reader WHERE email_key = '{ADDRESS}'");
    let id = canvass::types::ReaderId(app.count(&id).await);
    let page = reader.get("/p/trust").await.expect(200);
    let page = page.says(&format!("your answer is kept with {ADDRESS}"));
    let ask = reader.follow(&page, "Not you?").await.expect(200);
    assert!(is_known(&reader).await, "a look changes nothing");

    let mut elsewhere = ask.the_form();
    elsewhere.page = "https://evil.example/".parse().unwrap();
    reader.submit(elsewhere).await.expect(403);
    assert!(is_known(&reader).await);

    let done = reader.submit(ask.the_form()).await.expect(200);
    let back = reader.follow(&done, "Back to the poll").await.expect(200);
    assert!(!back.text().contains(ADDRESS));
    assert!(!is_known(&reader).await);
    let state = canvass::subscriptions::manage_token(&app.app.keys, id);
    let page = reader.get(&format!("/manage/{state}")).await.expect(200);
    page.says("The premium letter");
    assert_eq!(state_of(&app, ADDRESS).await, 1, "the subscription stays");
}

/// A link in a mail identifies the reader in that browser for one poll, with a separate cookie.
#[tokio::test]
async fn a_browser_known_by_a_mails_link_is_forgotten_too() {
    let app = TestApp::start().await;
    let poll = asked(&app).await;
    signed_in(&app).await;
    let path = crate::polls_elsewhere::link(&app, poll, 1, ADDRESS).await;
    let reader = app.reader();
    let page = reader.get(&path).await.expect(200);
    app.advance(SECOND);
    reader.submit(page.the_form().choose("option", "1")).await;
    assert!(is_known(&reader).await);
    let ask = reader.get("/not-me?poll=trust").await.expect(200);
    reader.submit(ask.the_form()).await.expect(200);
    assert!(!is_known(&reader).await);
    // A value that cannot be the name of a poll leads nowhere.
    let odd = reader.get("/not-me?poll=%2f%2fevil.example").await;
    assert!(!odd.expect(200).body.contains("evil"));
}

fn names_nobody(page: &Page) {
    assert!(!page.body.contains(ADDRESS), "{}", page.text());
    assert!(!page.body.contains("/manage/"), "{}", page.text());
}

/// A link that was pasted somewhere: a person who answers through it learns neither whose link it is nor the URL of a
/// page that says so.
#[tokio::test]
async fn who_answers_by_anothers_link_is_not_told_the_address() {
    let app = TestApp::start().await;
    let poll = asked(&app).await;
    signed_in(&app).await;
    let path = crate::polls_elsewhere::link(&app, poll, 1, ADDRESS).await;
    let stranger = app.reader();
    let page = stranger.get(&path).await.expect(200);
    names_nobody(&page);
    app.advance(SECOND);
    let form = agree(&page, page.the_form().choose("option", "1"));
    let done = stranger.submit(form).await.expect(200);
    let done = done.says("Your answer is kept with your address");
    names_nobody(&done.says("at the end of any of our emails"));
    assert_eq!(links(&app).await, one(1));
    let page = stranger.get("/p/trust").await.expect(200);
    names_nobody(&page.says("the address the email with this link was sent to"));
    let results = stranger.get("/p/trust/results").await.expect(200);
    names_nobody(&results.says("kept with your address, as you agreed"));
    let empty = form_without_option(&stranger).await;
    let again = stranger.submit(empty).await.expect(422);
    names_nobody(&again.says("the address the email with this link was sent to"));
    let page = stranger.get("/p/trust").await.expect(200);
    let ask = stranger.follow(&page, "Not you?").await.expect(200);
    stranger.submit(ask.the_form()).await.expect(200);
    assert!(!is_known(&stranger).await);
}
