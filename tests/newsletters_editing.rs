//! Creating and editing newsletters.

use super::support::app::TestApp;
use super::support::editor::{signed_in, signed_in_as};
use super::support::reader::{Form, Page};

const TEXTS: &str = "SELECT COUNT(*) FROM consent_text";

fn filled(page: &Page) -> Form {
    [
        ("name", "The Evening Brief"),
        ("slug", "evening-brief"),
        ("from_name", "Linden Post"),
        ("from_address", "brief@lindenpost.example"),
        ("postal_address", "Linden Post\r\nMain Street 1"),
        ("time_zone", "Europe/Berlin"),
        ("consent", "Yes, send me the Evening Brief."),
    ]
    .into_iter()
    .fold(
        page.form("main form[method=post]"),
        |form, (name, value)| form.fill(name, value),
    )
}

#[tokio::test]
async fn a_newsletter_is_made_and_changed() {
    let app = TestApp::start().await;
    let browser = signed_in(&app).await;
    let page = browser.get("/admin/newsletters/new").await.expect(200);
    let page = browser.submit(filled(&page)).await.expect(200);
    let page = page
        .says("The newsletter has been created")
        .says("The Evening Brief")
        .says("version 1");

    let edit = browser.follow(&page, "The Evening Brief").await.expect(200);
    let form = edit.form("main form[method=post]");
    assert_eq!(
        form.value("postal_address"),
        Some("Linden Post\r\nMain Street 1")
    );
    browser
        .submit(form.clone().fill("name", "Evening"))
        .await
        .expect(200)
        .says("saved")
        .says("version 1");
    assert_eq!(
        app.count(TEXTS).await,
        1,
        "the same words are the same version"
    );

    let path = "/admin/newsletters/evening-brief";
    let form = browser.get(path).await.expect(200);
    let form = form.form("main form[method=post]");
    let changed = form.fill("consent", "Yes, send me the Evening Brief, twice a week.");
    browser.submit(changed).await.expect(200).says("version 2");
    let edit = browser.get(path).await.expect(200);
    edit.says("Yes, send me the Evening Brief.")
        .says("twice a week");
    browser.get("/admin/newsletters/unknown").await.expect(404);
}

/// Otherwise the words that readers agree to would silently be the old ones again.
#[tokio::test]
async fn nobody_saves_over_what_somebody_else_has_changed_meanwhile() {
    let app = TestApp::start().await;
    app.newsletter("premium").await;
    let (first, second) = (
        signed_in(&app).await,
        signed_in_as(&app, "b@linden.example").await,
    );
    let path = "/admin/newsletters/premium";
    let form = first.get(path).await.expect(200).form("main form.form");
    let theirs = second.get(path).await.expect(200).form("main form.form");
    let theirs = theirs.fill("consent", "Yes, at most twice a week.");
    second
        .submit(theirs.clone())
        .await
        .expect(200)
        .says("saved");
    let late = form.clone().fill("description", "Every Friday at seven.");
    let refused = first.submit(late).await.expect(409);
    let refused = refused.says("Somebody else changed this newsletter");
    assert!(refused.body.contains("Every Friday at seven."));
    assert_eq!(app.count(TEXTS).await, 2);
    // Nor after a mistake was mended on the form that is shown again.
    let wrong = first.submit(form.fill("name", "")).await.expect(422);
    let mended = wrong.form("main form.form").fill("name", "Premium");
    first.submit(mended).await.expect(409);
    // A second click has saved nothing else.
    second.submit(theirs).await.expect(200).says("saved");
    assert_eq!(app.count(TEXTS).await, 2);
}

#[tokio::test]
async fn what_is_wrong_is_said_and_what_was_typed_is_kept() {
    let app = TestApp::start().await;
    let browser = signed_in(&app).await;
    let page = browser.get("/admin/newsletters/new").await.expect(200);
    let form = filled(&page);
    for (field, value, words) in [
        ("name", "", "Give the newsletter a name"),
        ("name", "a\r\nBcc: b@example.org", "one line"),
        ("slug", "Evening Brief", "lower-case"),
        ("slug", "new", "Canvass’s own"),
        ("from_address", "brief@", "nothing after the @"),
        ("reply_to", "x\r\n@example.org", "cannot have"),
        ("time_zone", "Mars/Olympus", "not a time zone"),
        ("accent", "#f2c94c", "contrast"),
        ("language", "German", "short tag"),
        ("consent", &"x".repeat(2_001), "at most 2000"),
    ] {
        let page = browser
            .submit(form.clone().fill(field, value))
            .await
            .expect(422)
            .says(words);
        let again = page.form("main form[method=post]");
        assert_eq!(
            again.value("postal_address"),
            form.value("postal_address"),
            "kept"
        );
        let summary = page.attributes(".error-summary a", "href");
        assert_eq!(summary, [format!("#{field}")]);
    }
    browser
        .submit(form.clone().fill("name", "nul\0"))
        .await
        .expect(400);
    assert_eq!(app.count(TEXTS).await, 0);

    browser.submit(form.clone()).await.expect(200);
    // A second click finds what the first one has made.
    let again = browser.submit(form.clone()).await.expect(200);
    again.says("The newsletter has been created");
    assert_eq!(app.count(TEXTS).await, 1);
    let other = form.fill("name", "Another Brief");
    let taken = browser.submit(other).await.expect(422);
    taken.says("Another newsletter has this name");
}

#[tokio::test]
async fn the_overview_leads_to_the_first_issue() {
    let app = TestApp::start().await;
    let browser = signed_in(&app).await;
    let page = browser
        .get("/admin")
        .await
        .expect(200)
        .says("6 steps are left");
    let steps = page.all(".step h2");
    assert_eq!(steps[0], "Say who the mail comes from");
    assert_eq!(page.all(".step.is-next h2"), steps[..1]);
    app.newsletter("brief").await;
    app.poll("trust").await;
    let page = browser
        .get("/admin")
        .await
        .expect(200)
        .says("4 steps are left");
    assert_eq!(
        page.all(".step.is-next h2"),
        ["Put the poll into an article"]
    );
    assert_eq!(
        page.attributes(".step.is-next a", "href"),
        ["/admin/polls/trust"]
    );
    browser
        .get("/admin/mail")
        .await
        .expect(200)
        .says("Nothing leaves this machine");
}
