//! Linked polls: requests that must not join anything to an address.

use crate::polls_elsewhere::link;
use crate::polls_linked::{
    ADDRESS, SECOND, asked, by_mail, is_ticked, left, links, one, signed_in,
};
use crate::support::app::TestApp;
use crate::support::dump::Dump;

#[tokio::test]
async fn polls_linked_a_secret_poll_takes_no_link() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("premium").await;
    let poll = app
        .poll_with("trust", |poll| poll.newsletter = Some(newsletter.id))
        .await;
    let reader = app.reader();
    let page = left(&app, &reader, false).await;
    let token = page.attributes("#answer", "value")[0].clone();
    let confirm = page.url.path().to_owned();
    let fields = [("answer", token.as_str()), ("link", "1")];
    reader.post(&confirm, &fields).await.expect(200);
    let page = reader.get("/p/trust").await.expect(200);
    assert!(page.attributes("input#link", "value").is_empty());
    for given in ["1", "on", "yes"] {
        let fields = [("option", "1"), ("link", given)];
        reader.post("/p/trust", &fields).await.expect(200);
        let path = link(&app, poll, 1, ADDRESS).await;
        let page = reader.get(&path).await.expect(200);
        app.advance(SECOND);
        let mut form = page.the_form().choose("option", "2");
        form.fields.push(("link".into(), given.into()));
        reader.submit(form).await.expect(200);
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot_link").await, 0);
    assert_eq!(app.count("SELECT COUNT(*) FROM link_text").await, 0);
}

#[tokio::test]
async fn polls_linked_programs_join_nothing() {
    let app = TestApp::start().await;
    let poll = asked(&app).await;
    let path = link(&app, poll, 1, ADDRESS).await;
    by_mail(&app, &path, "1", false).await;
    let reader = app.reader();
    let confirm = left(&app, &reader, true).await;
    let before = Dump::of(&app.app.db).await;
    for path in [&path, &confirm.url.path().to_owned()] {
        for query in ["", "?link=1", "?link=on&option=2"] {
            let url = app.url(&format!("{path}{query}"));
            for method in [reqwest::Method::GET, reqwest::Method::HEAD] {
                let client = reqwest::Client::new();
                client.request(method, &url).send().await.unwrap();
            }
        }
    }
    let after = Dump::of(&app.app.db).await;
    assert_eq!(before.differences(&after, &[]), Vec::<String>::new());
    // Scripts tick the box that is there and press the button.
    app.advance(SECOND);
    for (page, button) in [(reader.get(&path).await, "option"), (confirm, "answer")] {
        let mut form = page.the_form();
        assert!(form.value(button).is_some());
        let pressed = [("link", "1"), ("untouched", "1")];
        form.fields.retain(|(name, _)| name != "link");
        form.fields
            .extend(pressed.map(|(name, value)| (name.to_owned(), value.to_owned())));
        app.advance(SECOND);
        reader.submit(form).await.expect(409);
    }
    assert_eq!(links(&app).await, []);
}

/// Assistive software can press a button without any event that a browser calls a person's.
#[tokio::test]
async fn polls_linked_a_tick_is_kept_for_the_second_press() {
    let app = TestApp::start().await;
    asked(&app).await;
    let reader = app.reader();
    let confirm = left(&app, &reader, true).await;
    let mut form = confirm.says("tick it again here").the_form();
    form = form.tick("link", "1");
    form.fields.push(("untouched".to_owned(), "1".to_owned()));
    let again = reader.submit(form).await.expect(409);
    let again = again.says("Without the tick, the answer stays secret");
    assert!(is_ticked(&again) && !again.text().contains("tick it again here"));
    let form = again.the_form().tick("person", "1");
    reader.submit(form).await.expect(200);
    assert_eq!(links(&app).await, one(2));
}

#[tokio::test]
async fn polls_linked_another_sites_page_ticks_for_nobody() {
    let app = TestApp::start().await;
    asked(&app).await;
    let reader = signed_in(&app).await;
    let stranger = reader
        .with_header("origin", "https://evil.example")
        .with_header("sec-fetch-site", "cross-site");
    let fields = [("option", "1"), ("link", "on"), ("email", ADDRESS)];
    let page = stranger.post("/p/trust", &fields).await.expect(403);
    assert!(!is_ticked(&page.says("not been counted yet")));
    assert_eq!(links(&app).await, []);
}

/// Whoever was forwarded a vote link may guess whose it is: neither the page nor the link says whether they are right.
#[tokio::test]
async fn polls_linked_a_forwarded_link_confirms_no_guess_at_its_reader() {
    let app = TestApp::start().await;
    let poll = asked(&app).await;
    let path = link(&app, poll, 1, ADDRESS).await;
    let browser = app.reader();
    let page = browser.get(&path).await.expect(200);
    let version = page.attributes("input#link", "value")[0].clone();
    app.advance(SECOND);
    browser.submit(page.the_form()).await.expect(200);
    let mut seen = Vec::new();
    for guess in ["eve@example.org", ADDRESS] {
        let fields = [
            ("option", "2"),
            ("link", version.as_str()),
            ("email", guess),
            ("consent", "1"),
        ];
        let answered = browser.post("/p/trust", &fields).await.expect(200);
        let results = browser.get("/p/trust/results").await.expect(200);
        seen.push([answered, results].map(|page| page.text().replace(guess, "?")));
        assert_eq!(links(&app).await, []);
    }
    assert_eq!(seen[0], seen[1]);
    // The tick alone is the reader's, as before.
    let fields = [("option", "2"), ("link", version.as_str())];
    browser.post("/p/trust", &fields).await.expect(200);
    assert_eq!(links(&app).await, one(2));
}
