//! Leaving a newsletter: one tap, no login, permanent; a mistake can be undone.

use std::time::Duration;

use canvass::subscriptions::{manage_token, unsubscribe_token};
use canvass::types::{EmailAddress, NewsletterId, ReaderId};

use crate::subscriptions_double_opt_in::{state_of, subscribe};
use crate::support::app::TestApp;
use crate::support::editor::signed_in;

const HOUR: Duration = Duration::from_secs(3_600);

async fn subscriber(app: &TestApp) -> (NewsletterId, ReaderId) {
    let newsletter = app.newsletter("premium").await;
    subscribe(app, &app.reader(), "anna@example.org").await;
    let reader = app
        .count("SELECT id FROM reader WHERE email_key = 'anna@example.org'")
        .await;
    (newsletter.id, ReaderId(reader))
}

async fn post(
    app: &TestApp,
    path: &str,
    content_type: Option<&str>,
    body: &'static str,
) -> reqwest::Response {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap();
    let mut request = client.post(app.url(path)).body(body);
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    request.send().await.unwrap()
}

/// An agreement from before the reader left does not bring the newsletter back: neither does an older link nor a
/// program that follows it.
#[tokio::test]
async fn a_link_from_before_the_leaving_subscribes_nobody() {
    let app = TestApp::start().await;
    let anna = "anna@example.org";
    app.newsletter("premium").await;
    app.newsletter("brief").await;
    let ask = async |slug: &str| {
        let fields = [("email", anna), ("consent", "on")];
        let path = format!("/subscribe/{slug}");
        app.reader().post(&path, &fields).await.expect(200);
        app.advance(HOUR);
    };
    let (mut links, mut mails) = (Vec::new(), 0);
    for slug in ["premium", "premium", "brief"] {
        ask(slug).await;
        mails += 1;
        links.push(app.mail_to(anna, mails).await.link("/confirm/"));
    }
    let open = app.reader().get(&links[1]).await.expect(200).the_form();
    let form = app.reader().get(&links[0]).await.expect(200).the_form();
    app.reader().submit(form).await.expect(200);
    let reader = ReaderId(app.count("SELECT id FROM reader").await);
    let newsletter = app
        .count("SELECT id FROM newsletter WHERE slug = 'premium'")
        .await;
    let token = unsubscribe_token(&app.app.keys, NewsletterId(newsletter), reader);
    post(&app, &format!("/u/{token}"), None, "").await;
    assert_eq!(state_of(&app, anna).await, 2);
    app.reader().submit(open).await.expect(410);
    app.reader().get(&links[1]).await.expect(410);
    assert_eq!(state_of(&app, anna).await, 2);
    // A link for another newsletter still works.
    let form = app.reader().get(&links[2]).await.expect(200).the_form();
    app.reader()
        .submit(form)
        .await
        .expect(200)
        .says("You are subscribed");
}

#[tokio::test]
async fn one_click_in_either_encoding_stops_the_mails_and_may_come_twice() {
    let multipart = "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n";
    for (content_type, body) in [
        (
            Some("application/x-www-form-urlencoded"),
            "List-Unsubscribe=One-Click",
        ),
        (Some("multipart/form-data; boundary=b"), multipart),
        (None, ""),
    ] {
        let app = TestApp::start().await;
        let (newsletter, reader) = subscriber(&app).await;
        let path = format!(
            "/u/{}",
            unsubscribe_token(&app.app.keys, newsletter, reader)
        );
        for _ in 0..2 {
            let response = post(&app, &path, content_type, body).await;
            assert_eq!(response.status().as_u16(), 200, "{content_type:?}");
            assert!(!response.headers().contains_key("set-cookie"));
        }
        assert_eq!(state_of(&app, "anna@example.org").await, 2);
        assert_eq!(
            app.count("SELECT COUNT(*) FROM consent WHERE withdrawn_ms IS NULL")
                .await,
            0
        );
    }
}

#[tokio::test]
async fn the_page_has_one_button_and_what_it_did_can_be_undone_for_an_hour() {
    let app = TestApp::start().await;
    let (newsletter, id) = subscriber(&app).await;
    let path = format!(
        "/unsubscribe/{}",
        unsubscribe_token(&app.app.keys, newsletter, id)
    );
    let reader = app.reader();
    let page = reader.get(&path).await.expect(200);
    assert_eq!(page.all("main button"), ["Unsubscribe"]);
    assert_eq!(state_of(&app, "anna@example.org").await, 1);
    let form = page.the_form().button("action", "leave");
    let gone = reader
        .submit(form.clone())
        .await
        .expect(200)
        .says("You no longer receive");
    assert_eq!(state_of(&app, "anna@example.org").await, 2);

    app.advance(HOUR - Duration::from_secs(1));
    let back = reader
        .submit(gone.the_form().button("action", "undo"))
        .await
        .expect(200);
    let back = back.says("You will keep receiving");
    assert_eq!(back.attributes("main .actions a.button", "href"), ["/"]);
    assert_eq!(state_of(&app, "anna@example.org").await, 1);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM consent WHERE withdrawn_ms IS NULL")
            .await,
        1
    );

    // After an hour an old, perhaps forwarded mail subscribes nobody.
    let gone = reader.submit(form).await.expect(200);
    let undo = gone.the_form().button("action", "undo");
    app.advance(HOUR + Duration::from_secs(1));
    reader
        .submit(undo)
        .await
        .expect(200)
        .says("You no longer receive");
    assert_eq!(state_of(&app, "anna@example.org").await, 2);
    assert!(
        reader
            .get(&path)
            .await
            .expect(200)
            .all("main button")
            .is_empty()
    );
}

#[tokio::test]
async fn an_unsubscribe_link_works_years_later_and_does_not_touch_other_states() {
    let app = TestApp::start().await;
    let (newsletter, reader) = subscriber(&app).await;
    let path = format!(
        "/unsubscribe/{}",
        unsubscribe_token(&app.app.keys, newsletter, reader)
    );
    app.advance(Duration::from_secs(10 * 365 * 24 * 3_600));
    app.reader().get(&path).await.expect(200);
    let txn = app.app.db.write_txn("test").await.unwrap();
    canvass::db::run(&*txn, "UPDATE subscription SET state = 5", [])
        .await
        .unwrap();
    txn.commit().await.unwrap();
    post(&app, &path, None, "").await;
    assert_eq!(state_of(&app, "anna@example.org").await, 5);
    // Undoing does not lift a complaint, either.
    post(
        &app,
        &path,
        Some("application/x-www-form-urlencoded"),
        "action=undo",
    )
    .await;
    assert_eq!(state_of(&app, "anna@example.org").await, 5);
}

#[tokio::test]
async fn preferences_keep_what_was_typed_and_only_leave_what_was_listed() {
    let app = TestApp::start().await;
    let (_, id) = subscriber(&app).await;
    let path = format!("/manage/{}", manage_token(&app.app.keys, id));
    let reader = app.reader();
    let page = reader.get(&path).await.expect(200).says("anna@example.org");
    let form = page.the_form();
    let wrong = form
        .clone()
        .fill("name", "Anna Ø")
        .fill("time_zone", "Mars/Base")
        .button("action", "save");
    let page = reader
        .submit(wrong)
        .await
        .expect(422)
        .says("not a time zone");
    assert_eq!(page.the_form().value("name"), Some("Anna Ø"));
    assert_eq!(page.the_form().value("time_zone"), Some("Mars/Base"));
    let right = page
        .the_form()
        .fill("time_zone", "europe/vienna")
        .button("action", "save");
    let page = reader.submit(right).await.expect(200).says("saved");
    assert_eq!(page.the_form().value("time_zone"), Some("Europe/Vienna"));
    // A program that sends only some of the form's fields: the missing ones keep their values.
    let fields = [("List-Unsubscribe", "One-Click")];
    let page = app.reader().post(&path, &fields).await.expect(200);
    for (field, value) in [("name", "Anna Ø"), ("time_zone", "Europe/Vienna")] {
        assert_eq!(page.the_form().value(field), Some(value));
    }
    assert_eq!(
        state_of(&app, "anna@example.org").await,
        1,
        "the box was still ticked"
    );

    // A form that did not list the newsletter cannot leave it.
    reader
        .post(&path, &[("action", "save"), ("name", "Anna")])
        .await
        .expect(200);
    assert_eq!(state_of(&app, "anna@example.org").await, 1);
    let typed = [("action", "leave-all"), ("name", "Anna the Second")];
    let page = reader
        .post(&path, &typed)
        .await
        .expect(200)
        .says("no more emails");
    assert_eq!(state_of(&app, "anna@example.org").await, 2);
    assert_eq!(page.attributes("#name", "value"), ["Anna the Second"]);
    let undo = page.form(".undo").button("action", "undo-all");
    let page = reader.submit(undo).await.expect(200);
    page.says("Your emails will keep coming");
    assert_eq!(state_of(&app, "anna@example.org").await, 1);
    reader.post(&path, &typed).await.expect(200);
    assert_eq!(state_of(&app, "anna@example.org").await, 2);
    for bad in ["An\0na", "a\u{202e}b", &"x".repeat(5_000)] {
        let page = reader
            .post(&path, &[("action", "save"), ("name", bad)])
            .await;
        assert!(page.status.is_client_error(), "{bad:?}");
    }
}

/// Other things can happen within the hour in which a reader may undo leaving.
#[tokio::test]
async fn who_was_erased_or_must_not_be_mailed_cannot_come_back_by_an_old_link() {
    for how in ["erased", "suppressed"] {
        let app = TestApp::start().await;
        let (newsletter, id) = subscriber(&app).await;
        let token = unsubscribe_token(&app.app.keys, newsletter, id);
        let path = format!("/unsubscribe/{token}");
        let reader = app.reader();
        let page = reader.get(&path).await.expect(200);
        let form = page.the_form().button("action", "leave");
        let gone = reader.submit(form).await.expect(200);
        let undo = gone.the_form().button("action", "undo");
        let editor = signed_in(&app).await;
        let page = editor.get(&format!("/admin/readers/{}", id.0)).await;
        if how == "erased" {
            let form = page.form("form[action$='/erase']");
            let form = form.fill("address", "anna@example.org");
            editor.submit(form).await.expect(200);
        } else {
            let address = EmailAddress::parse("anna@example.org").unwrap();
            let hash = app.app.keys.address_hash(address.key()).to_vec();
            let sql = "INSERT INTO suppression (address_hash, reason, note, created_ms) VALUES ($1, 2, '', 1)";
            let txn = app.app.db.write_txn("test").await.unwrap();
            canvass::db::run(&*txn, sql, [hash.into()]).await.unwrap();
            txn.commit().await.unwrap();
        }
        let page = reader.get(&path).await.expect(200);
        assert!(page.all("main button").is_empty(), "{how}: {}", page.text());
        reader
            .submit(undo)
            .await
            .expect(200)
            .says("You no longer receive");
        let active = "SELECT COUNT(*) FROM subscription WHERE state = 1";
        assert_eq!(app.count(active).await, 0, "{how}");
        // A mail client that unsubscribes again does not get an error.
        assert_eq!(post(&app, &path, None, "").await.status(), 200, "{how}");
    }
}

#[tokio::test]
async fn a_box_that_was_emptied_stays_empty_beside_a_mistake() {
    let app = TestApp::start().await;
    let (_, id) = subscriber(&app).await;
    let path = format!("/manage/{}", manage_token(&app.app.keys, id));
    let reader = app.reader();
    let page = reader.get(&path).await.expect(200);
    let form = page
        .the_form()
        .untick("keep")
        .fill("time_zone", "Mars/Base");
    let page = reader.submit(form.button("action", "save")).await;
    let page = page.expect(422);
    assert_eq!(
        page.attributes("input[name=keep]", "value"),
        ["premium"],
        "it is there"
    );
    let form = page.the_form();
    assert_eq!(form.value("keep"), None, "and empty");
    assert_eq!(state_of(&app, "anna@example.org").await, 1);
    let form = form.fill("time_zone", "").button("action", "save");
    let page = reader.submit(form).await.expect(200);
    let page = page.says("You will no longer receive “The premium letter”");
    assert_eq!(state_of(&app, "anna@example.org").await, 2);
    // The tick may have been removed by mistake.
    let undo = page.form(".undo").button("action", "undo-all");
    let page = reader.submit(undo).await.expect(200);
    page.says("Your emails will keep coming");
    assert_eq!(state_of(&app, "anna@example.org").await, 1);
}

/// What mail scanners do: HEAD and GET on every link of every mail, in any order, many times.
#[tokio::test]
async fn a_scanner_confirms_and_unsubscribes_nobody() {
    let app = TestApp::start().await;
    let (newsletter, id) = subscriber(&app).await;
    crate::subscriptions_double_opt_in::ask(&app, &app.reader(), "bo@example.org")
        .await
        .expect(200);
    let pending = app.mail_to("bo@example.org", 1).await.link("/confirm/");
    let before = app.count("SELECT COUNT(*) FROM outbox").await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let unsubscribe = unsubscribe_token(&app.app.keys, newsletter, id);
    for link in [
        pending,
        app.url(&format!("/unsubscribe/{unsubscribe}")),
        app.url(&format!("/u/{unsubscribe}")),
        app.url(&format!("/manage/{}", manage_token(&app.app.keys, id))),
        app.url("/subscribe/premium"),
    ] {
        for _ in 0..3 {
            assert_eq!(
                client.head(&link).send().await.unwrap().status().as_u16(),
                200,
                "{link}"
            );
            assert_eq!(
                client.get(&link).send().await.unwrap().status().as_u16(),
                200,
                "{link}"
            );
            client
                .get(format!("{link}?action=leave&fresh=1&email=x@example.org"))
                .send()
                .await
                .unwrap();
        }
    }
    assert_eq!(state_of(&app, "anna@example.org").await, 1);
    assert_eq!(state_of(&app, "bo@example.org").await, 0);
    assert_eq!(app.count("SELECT COUNT(*) FROM outbox").await, before);
}
