//! Signing in, sessions, and protection against others.

use std::time::Duration;

use canvass::db::run;

use super::support::app::TestApp;
use super::support::editor::{EDITOR, PASSWORD, invited, signed_in};
use super::support::reader::{Form, Page, Reader};

const SESSIONS: &str = "SELECT COUNT(*) FROM editor_session";
const NEW_PASSWORD: &str = "nine lemons under a bridge";

pub async fn sign_in(browser: &Reader, email: &str, password: &str) -> Page {
    let page = browser.get("/admin/settings").await;
    let form = page
        .the_form()
        .fill("email", email)
        .fill("password", password);
    browser.submit(form).await
}

/// The only form of an editors' page that does not belong to the frame.
fn own_form(page: &Page) -> Form {
    page.form("main form[method=post]")
}

#[tokio::test]
async fn a_set_up_link_sets_the_password_once_and_signs_in() {
    let app = TestApp::start().await;
    let link = invited(&app, EDITOR).await;
    let browser = app.reader();
    let page = browser.get(&link).await.expect(200).says(EDITOR);
    assert_eq!(app.count(SESSIONS).await, 0, "a look changes nothing");

    let weak = page
        .the_form()
        .fill("password", "password1234")
        .fill("again", "password1234");
    browser
        .submit(weak)
        .await
        .expect(422)
        .says("first passwords that an attacker would guess");
    let differ = page
        .the_form()
        .fill("password", PASSWORD)
        .fill("again", "something else entirely");
    browser
        .submit(differ)
        .await
        .expect(422)
        .says("not the same");
    let good = page
        .the_form()
        .fill("password", PASSWORD)
        .fill("again", PASSWORD);
    browser.submit(good.clone()).await.expect(200);
    browser
        .get("/admin/settings")
        .await
        .expect(200)
        .says(EDITOR);

    browser
        .submit(good)
        .await
        .expect(410)
        .says("already been used");
    app.reader()
        .get(&link)
        .await
        .expect(410)
        .says("sign in with the password");
    assert_eq!(app.count(SESSIONS).await, 1);
}

#[tokio::test]
async fn a_set_up_link_ends_after_three_days_and_with_a_newer_one() {
    let app = TestApp::start().await;
    let old = invited(&app, EDITOR).await;
    let new = invited(&app, EDITOR).await;
    app.reader().get(&old).await.expect(410);
    app.reader().get(&new).await.expect(200);
    app.advance(Duration::from_secs(3 * 24 * 3_600));
    let gone = app.reader().get(&new).await.expect(410).says("three days");
    let unknown = app
        .reader()
        .get("/admin/set-password/nobody-made-this")
        .await
        .expect(410);
    assert_eq!(gone.body, unknown.body, "an unknown link is told the same");
}

#[tokio::test]
async fn signing_in_leads_back_to_where_one_wanted_to_go() {
    let app = TestApp::start().await;
    signed_in(&app).await;
    let browser = app.reader();
    let page = sign_in(&browser, &EDITOR.to_uppercase(), PASSWORD)
        .await
        .expect(200);
    assert_eq!(page.url.path(), "/admin/settings");
    // Another site is not accepted as the page to go to.
    let page = browser
        .get("/admin/sign-in?next=https%3A%2F%2Fevil.example%2F")
        .await;
    assert_eq!(page.form("form").value("next"), Some("/admin"));
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_look_the_same() {
    let app = TestApp::start().await;
    signed_in(&app).await;
    let known = sign_in(&app.reader(), EDITOR, "not the password")
        .await
        .expect(422);
    let unknown = sign_in(&app.reader(), "nobody@lindenpost.example", PASSWORD)
        .await
        .expect(422);
    assert_eq!(
        known.body.replace(EDITOR, "x"),
        unknown.body.replace("nobody@lindenpost.example", "x")
    );
    sign_in(&app.reader(), "not an address", PASSWORD)
        .await
        .expect(422)
        .says("is wrong");
    sign_in(&app.reader(), EDITOR, &"long".repeat(5_000))
        .await
        .expect(422);
    // Invited, but without a password: nothing opens the account, not even an empty password.
    invited(&app, "new@lindenpost.example").await;
    sign_in(&app.reader(), "new@lindenpost.example", "")
        .await
        .expect(422);
}

#[tokio::test]
async fn a_changed_password_ends_every_other_session() {
    let app = TestApp::start().await;
    let here = signed_in(&app).await;
    let there = app.reader();
    sign_in(&there, EDITOR, PASSWORD).await.expect(200);
    assert_eq!(app.count(SESSIONS).await, 2);

    let form = own_form(&here.get("/admin/password").await);
    let form = form
        .fill("password", NEW_PASSWORD)
        .fill("again", NEW_PASSWORD);
    here.submit(form.clone().fill("current", "wrong"))
        .await
        .expect(422)
        .says("not your current password");
    assert_eq!(app.count(SESSIONS).await, 2, "nothing happened yet");
    here.submit(form.fill("current", PASSWORD))
        .await
        .expect(200)
        .says("Your password has been changed");

    assert_eq!(app.count(SESSIONS).await, 1);
    assert_eq!(
        there.get("/admin/settings").await.url.path(),
        "/admin/sign-in"
    );
    sign_in(&app.reader(), EDITOR, PASSWORD).await.expect(422);
    sign_in(&app.reader(), EDITOR, NEW_PASSWORD)
        .await
        .expect(200);
}

/// The password is changed while the old one, typed elsewhere, is still being checked.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_changes_meanwhile_starts_no_session() {
    let app = TestApp::start().await;
    let here = signed_in(&app).await;
    let form = own_form(&here.get("/admin/password").await)
        .fill("current", PASSWORD)
        .fill("password", NEW_PASSWORD)
        .fill("again", NEW_PASSWORD);
    let changes = app.app.db.write_txn("test").await.unwrap();
    for sql in [
        "UPDATE editor SET password_hash = NULL",
        "DELETE FROM editor_session",
    ] {
        run(&*changes, sql, []).await.unwrap();
    }
    let (there, changed, ()) = tokio::join!(
        async { sign_in(&app.reader(), EDITOR, PASSWORD).await },
        here.submit(form),
        async {
            app.wait_until_blocked(2).await;
            changes.commit().await.unwrap();
        }
    );
    there.expect(422).says("is wrong");
    changed.expect(422).says("not your current password");
    assert_eq!(app.count(SESSIONS).await, 0);
    let sql = "SELECT COUNT(*) FROM editor WHERE password_hash IS NOT NULL";
    assert_eq!(app.count(sql).await, 0);
}

#[tokio::test]
async fn a_session_ends_by_signing_out_and_after_a_week() {
    let app = TestApp::start().await;
    let browser = signed_in(&app).await;
    let page = browser.get("/admin/settings").await;
    let out = browser
        .submit(page.form("form[action='/admin/sign-out']"))
        .await;
    out.expect(200).says("You are signed out");
    assert_eq!(app.count(SESSIONS).await, 0);

    sign_in(&browser, EDITOR, PASSWORD).await.expect(200);
    app.advance(Duration::from_secs(7 * 24 * 3_600));
    assert_eq!(
        browser.get("/admin/settings").await.url.path(),
        "/admin/sign-in"
    );
    sign_in(&browser, EDITOR, PASSWORD).await.expect(200);
    assert_eq!(
        app.count(SESSIONS).await,
        1,
        "the session that ran out was forgotten"
    );
}

#[tokio::test]
async fn a_closed_account_is_signed_out_and_opens_by_a_new_invitation_only() {
    let app = TestApp::start().await;
    let browser = signed_in(&app).await;
    let link = invited(&app, EDITOR).await;
    let address = canvass::types::EmailAddress::parse(EDITOR).unwrap();
    let (db, now) = (&app.app.db, app.app.clock.now());
    assert!(canvass::admin::close(db, now, &address).await.unwrap());
    assert!(!canvass::admin::close(db, now, &address).await.unwrap());
    let page = browser.get("/admin/settings").await.expect(200);
    assert_eq!(page.url.path(), "/admin/sign-in", "no session is left");
    sign_in(&app.reader(), EDITOR, PASSWORD).await.expect(422);
    app.reader().get(&link).await.expect(410);

    let link = invited(&app, EDITOR).await;
    sign_in(&app.reader(), EDITOR, PASSWORD)
        .await
        .expect(422)
        .says("is wrong");
    let page = browser.get(&link).await.expect(200);
    let form = page.the_form().fill("password", NEW_PASSWORD);
    browser
        .submit(form.fill("again", NEW_PASSWORD))
        .await
        .expect(200);
}

#[tokio::test]
async fn a_form_from_elsewhere_or_of_another_session_does_nothing() {
    let app = TestApp::start().await;
    let browser = signed_in(&app).await;
    let form = own_form(&browser.get("/admin/newsletters/new").await);
    let newsletters = || app.count("SELECT COUNT(*) FROM newsletter");

    let mut without = form.clone();
    without.fields.retain(|(name, _)| name != "csrf");
    browser
        .submit(without)
        .await
        .expect(403)
        .says("earlier sign-in");
    browser
        .submit(form.clone().fill("csrf", "aaaa"))
        .await
        .expect(403);

    let other = app.reader();
    sign_in(&other, EDITOR, PASSWORD).await.expect(200);
    other.submit(form.clone()).await.expect(403);
    // The token, twice: none of our forms sends a field twice.
    let mut twice = form.clone();
    twice.fields.push(("csrf".into(), "x".into()));
    browser.submit(twice).await.expect(400);

    let mut elsewhere = form.clone();
    elsewhere.page = "https://evil.example/".parse().unwrap();
    browser
        .submit(elsewhere)
        .await
        .expect(403)
        .says("another site");
    app.reader()
        .submit(form)
        .await
        .expect(401)
        .says("signed out");
    assert_eq!(newsletters().await, 0);

    // Signing in and setting a password refuse strangers' pages as well.
    let mut sign_in = app.reader().get("/admin/sign-in").await.the_form();
    sign_in.page = "https://evil.example/".parse().unwrap();
    app.reader()
        .submit(sign_in.fill("email", EDITOR).fill("password", PASSWORD))
        .await
        .expect(403);
}

#[tokio::test]
async fn over_tls_the_cookie_is_bound_to_the_host() {
    let app = TestApp::start_with(|c| c.http.public_url = "https://polls.example".into()).await;
    let browser = app.reader();
    let page = browser.get("/admin/sign-in").await.expect(200);
    let link = invited(&app, EDITOR).await;
    let response = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap()
        .post(app.url(&link))
        .header("origin", "https://polls.example")
        .form(&[("password", PASSWORD), ("again", PASSWORD)])
        .send()
        .await
        .unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-canvass_editor="), "{cookie}");
    for part in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert_eq!(page.headers["cache-control"], "no-store");
}
