//! The email field beside an answer: typing an address there reveals nothing about it, not even by timing.

use std::time::Duration;

use canvass::polls::Visibility;
use canvass::types::NewsletterId;

use crate::subscriptions_at_the_door::{four_kinds, rows, without_address};
use crate::support::app::TestApp;
use crate::support::page::{Form, Page};

/// Submits the poll's form with an address, as a page or as its script does.
async fn leave(app: &TestApp, address: &str, script: bool) -> Page {
    let reader = app.reader();
    if script {
        let reader = reader.with_header("accept", "application/json");
        let form = [
            ("option", "1"),
            ("email", address),
            ("consent", "1"),
            ("newsletter", "premium"),
        ];
        return reader.post("/p/trust", &form).await.expect(200);
    }
    let form = reader.get("/p/trust").await.expect(200).the_form();
    let form = form.choose("option", "1").fill("email", address);
    reader.submit(form.tick("consent", "1")).await.expect(200)
}

/// Known, pending, unknown and suppressed addresses, twice each: the second time no further mail may be sent.
#[tokio::test]
async fn polls_every_kind_of_address_beside_an_answer_is_told_the_same_and_costs_the_same() {
    let app = TestApp::start().await;
    let addresses = four_kinds(&app).await;
    let newsletter = NewsletterId(app.count("SELECT id FROM newsletter").await);
    // Results are hidden, because the numbers would be the only difference.
    app.poll_with("trust", |poll| {
        poll.newsletter = Some(newsletter);
        poll.visibility = Visibility::Never;
    })
    .await;
    for script in [false, true] {
        let (mut told, mut cost) = (Vec::new(), Vec::new());
        for address in addresses.into_iter().chain(addresses) {
            let ballots = "SELECT COUNT(*) FROM ballot";
            let before = (rows(&app).await, app.count(ballots).await);
            let page = leave(&app, address, script).await;
            let after = (rows(&app).await, app.count(ballots).await);
            let mut headers: Vec<_> = page.headers.keys().map(ToString::to_string).collect();
            headers.sort();
            told.push((without_address(&page, address), headers));
            let written: Vec<i64> = after.0.iter().zip(before.0).map(|(a, b)| a - b).collect();
            cost.push((written, after.1 - before.1));
        }
        assert!(told.windows(2).all(|two| two[0] == two[1]), "{told:#?}");
        assert!(cost.iter().all(|cost| *cost == (vec![1; 3], 1)), "{cost:?}");
        assert!(told[0].0.contains("nbox"), "{}", told[0].0);
    }
}

/// Wherever an address is asked for, a reader can find out what happens to it.
#[tokio::test]
async fn polls_the_privacy_notice_stands_where_an_address_is_asked_for() {
    const NOTICE: &str = "https://news.example/privacy";
    let app = TestApp::start_with(|config| config.site.privacy_url = NOTICE.to_owned()).await;
    let newsletter = app.newsletter("premium").await.id;
    app.poll_with("trust", |poll| poll.newsletter = Some(newsletter))
        .await;
    app.poll("without").await;
    let reader = app.reader();
    for path in ["/p/trust", "/embed/p/trust", "/subscribe/premium"] {
        let page = reader.get(path).await.expect(200);
        let links = page.attributes("main form a", "href");
        let beside = page.attributes("main form ~ p a", "href");
        assert!(
            [links, beside].concat().contains(&NOTICE.to_owned()),
            "{path}"
        );
    }
    let page = reader.get("/p/without").await.expect(200);
    assert!(
        page.attributes("main a", "href")
            .iter()
            .all(|href| href != NOTICE)
    );
    assert!(
        page.attributes("footer a", "href")
            .contains(&NOTICE.to_owned())
    );
}

/// Once an answer is in the box, a failure afterwards must not turn its reader into a second voter.
#[tokio::test]
async fn polls_an_address_that_cannot_be_taken_costs_no_second_ballot() {
    let app = TestApp::start_with(|config| config.log.filter = "off".to_owned()).await;
    let newsletter = app.newsletter("premium").await.id;
    app.poll_with("trust", |poll| poll.newsletter = Some(newsletter))
        .await;
    let rename = async |sql: &'static str| {
        let txn = app.app.db.write_txn("test").await.unwrap();
        canvass::db::run(&*txn, sql, []).await.unwrap();
        txn.commit().await.unwrap();
    };
    rename("ALTER TABLE subscription_request RENAME TO gone").await;
    for (script, before) in [(false, 0), (true, 1)] {
        let reader = app.reader();
        let reader = match script {
            true => reader.with_header("accept", "application/json"),
            false => reader,
        };
        let form = [
            ("option", "1"),
            ("email", "anna@example.org"),
            ("consent", "1"),
            ("newsletter", "premium"),
        ];
        for _ in 0..2 {
            let page = reader.post("/p/trust", &form).await;
            let expected = if script { 200 } else { 422 };
            assert_eq!(page.status, expected, "{}", page.body);
            assert!(
                page.body.contains("could not save your address"),
                "{}",
                page.body
            );
            let ballots = app.count("SELECT COUNT(*) FROM ballot").await;
            assert_eq!(ballots, before + 1, "once each");
        }
    }
    rename("ALTER TABLE gone RENAME TO subscription_request").await;

    // Malformed fields are rejected before anything is counted.
    let form = [("option", "1"), ("email", "a@b.example"), ("email", "x")];
    app.reader().post("/p/trust", &form).await.expect(400);
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 2);
}

/// Whoever mistyped the address sees that on the page that follows, and gives another one without a second ballot.
#[tokio::test]
async fn polls_a_mistyped_address_is_repeated_and_can_be_given_again() {
    let app = TestApp::start().await;
    let newsletter = app.newsletter("premium").await.id;
    let promises = |poll: &mut canvass::polls::Definition| poll.newsletter = Some(newsletter);
    app.poll_with("trust", promises).await;
    app.poll_with("other", promises).await;
    let reader = app.reader();
    let leave = async |form: Form, address| {
        let form = form.choose("option", "1").fill("email", address);
        reader.submit(form.tick("consent", "1")).await.expect(200)
    };
    let form = reader.get("/p/trust").await.expect(200).the_form();
    let result = leave(form, "anna@exmaple.org").await;
    let told = result.says("anna@exmaple.org").says("Wrong address?");
    assert!(!told.url.as_str().contains("anna"), "{}", told.url);
    // Reloaded it says the same, and nothing is sent again.
    let again = reader.get(told.url.as_str()).await.expect(200);
    assert!(again.text().contains("anna@exmaple.org"));
    // Beside another poll, and for somebody else, it says nothing.
    for (reader, path) in [
        (reader.clone(), "/p/other/results?mail=sent"),
        (reader.clone(), "/p/trust/results"),
        (app.reader(), "/p/trust/results?mail=sent"),
    ] {
        let page = reader.get(path).await.expect(200);
        assert!(!page.body.contains("anna"), "{path}");
    }
    let form = reader.follow(&told, "Change it").await.expect(200);
    let result = leave(form.the_form(), "anna@example.org").await;
    let said = result.says("anna@example.org");
    assert!(!said.body.contains("exmaple"));
    app.mail_to("anna@example.org", 1).await;
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot").await, 1);
    app.advance(Duration::from_secs(10 * 60));
    let later = reader.get(said.url.as_str()).await.expect(200);
    assert!(!later.body.contains("anna@"));

    // A browser that keeps no cookie is told the same without the address, and led where it does not vote again.
    let form = [
        ("option", "1"),
        ("email", "bo@example.org"),
        ("consent", "1"),
    ];
    let client = reqwest::Client::builder().no_proxy();
    let client = client.redirect(reqwest::redirect::Policy::none());
    let sent = client
        .build()
        .unwrap()
        .post(app.url("/p/trust"))
        .form(&form);
    let sent = sent.send().await.unwrap();
    assert_eq!(sent.status(), 303);
    let to = sent.headers()["location"].to_str().unwrap();
    assert_eq!(to, "/p/trust/results?mail=sent");
    let page = app.reader().get(to).await.expect(200).says("inbox");
    let elsewhere = ("/subscribe/premium".to_owned(), "Change it".to_owned());
    assert!(page.links().contains(&elsewhere), "{:?}", page.links());
}
