//! A newsletter's accent and language as readers see them: in mails and on the pages about it.

use std::time::Duration;

use canvass::newsletters::{self, Colour, Typed};
use canvass::types::Purpose;
use canvass::types::varint::pack;

use crate::subscriptions_double_opt_in::ask;
use crate::support::app::{START, TestApp};
use crate::support::editor::signed_in;

const VIOLET: &str = "#6b21a8";

/// Gives the newsletter another colour and another language, as an editor does.
async fn changed(app: &TestApp) {
    app.newsletter("premium").await;
    let editor = signed_in(app).await;
    let page = editor.get("/admin/newsletters/premium").await.expect(200);
    let form = page.form("main form.form");
    assert_eq!(form.value("language"), Some("en"));
    let form = form.fill("language", "de-at").fill("accent", VIOLET);
    editor.submit(form).await.expect(200).says("saved");
    let page = editor.get("/admin/newsletters/premium").await.expect(200);
    let form = page.form("main form.form");
    assert_eq!(form.value("language"), Some("de-AT"));
    assert_eq!(form.value("accent"), Some(VIOLET));
}

#[tokio::test]
async fn mails_and_pages_have_the_newsletters_accent() {
    let app = TestApp::start().await;
    changed(&app).await;
    let reader = app.reader();
    let page = reader.get("/subscribe/premium").await.expect(200);
    let sheets = page.attributes("link[rel=stylesheet]", "href");
    let sheet = reader.get(&sheets[1]).await.expect(200);
    assert!(
        sheet.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/css")
    );
    assert!(
        sheet.body.contains(&format!("--accent: {VIOLET};")),
        "{}",
        sheet.body
    );
    // Canvass's own words are English, those of the newsletter are not.
    assert_eq!(page.attributes("html", "lang"), ["en"]);
    assert_eq!(page.attributes("label.check span", "lang"), ["de-AT"]);

    ask(&app, &reader, "anna@example.org").await.expect(200);
    let html = app.mail_to("anna@example.org", 1).await.html;
    assert!(
        html.contains(&format!("background-color: {VIOLET}")),
        "{html}"
    );
    let db = app.app.db.read();
    let letter = newsletters::by_slug(db, "premium").await.unwrap().unwrap();
    let dark = letter.dark_accent();
    assert_ne!(dark, VIOLET);
    assert!(
        html.contains(&format!("a {{ color: {dark} !important; }}")),
        "in the dark"
    );
    assert!(
        !html.contains("#8f1d14"),
        "nothing is left of the built-in accent: {html}"
    );
}

#[tokio::test]
async fn an_issue_is_in_the_language_and_the_colour_of_its_newsletter() {
    let app = TestApp::start().await;
    changed(&app).await;
    let editor = signed_in(&app).await;
    let page = editor.get("/admin/issues/new").await.expect(200);
    let form = page.form("main form[method=post]");
    let draft = editor.submit(form).await.expect(200);
    let form = draft.form("form#composer");
    let form = form
        .fill("subject", "Guten Morgen")
        .fill("body", "Lesen Sie [mehr](https://news.example/mehr).");
    editor.submit(form).await.expect(200);
    let mail = editor.get("/admin/issues/1/preview").await.expect(200);
    assert_eq!(mail.attributes("html", "lang"), ["de-AT"]);
    assert_eq!(mail.attributes(".footer", "lang"), ["en"]);
    // Gmail drops the attributes of `html`. English words keep their direction in an Arabic issue, and the name at the
    // top does not decide that of the text.
    assert_eq!(mail.attributes(".outer", "lang"), ["de-AT"]);
    assert_eq!(mail.attributes(".outer", "dir"), ["auto"]);
    assert_eq!(mail.attributes(".name, .address", "dir"), ["auto", "auto"]);
    assert_eq!(mail.attributes(".footer", "dir"), ["ltr"]);
    let links = mail.attributes(".content p a", "style").join(" ");
    assert!(links.contains(VIOLET), "{links}");
    let db = app.app.db.read();
    let letter = newsletters::by_slug(db, "premium").await.unwrap().unwrap();
    let again = Typed::of(&letter, None);
    assert_eq!(
        (again.language.as_str(), again.accent.as_str()),
        ("de-AT", VIOLET)
    );
}

#[tokio::test]
async fn a_pasted_poll_has_the_accent_of_its_newsletter() {
    let app = TestApp::start().await;
    changed(&app).await;
    let letter = newsletters::by_slug(app.app.db.read(), "premium").await;
    let letter = letter.unwrap().unwrap().id;
    app.poll_with("trust", |poll| poll.newsletter = Some(letter))
        .await;
    let editor = signed_in(&app).await;
    let page = editor.get("/admin/polls/trust/embed").await.expect(200);
    for name in ["element", "short"] {
        let pasted = page.all(&format!("#{name}")).join("");
        let sheet = "/embed/poll.css?accent=6b21a8\"";
        assert!(pasted.contains(sheet), "{pasted}");
        assert!(pasted.contains(" accent=\"6b21a8\""), "{pasted}");
    }
    let sheet = editor
        .get("/embed/poll.css?accent=6b21a8")
        .await
        .expect(200);
    assert!(
        sheet
            .body
            .contains("[accent=\"6b21a8\"]){--canvass-accent:#6b21a8;"),
        "{}",
        sheet.body
    );
    // A site's own cache-buster does not matter.
    let busted = "/embed/poll.css?ver=6.5&accent=6b21a8&x";
    let busted = editor.get(busted).await.expect(200).body;
    assert_eq!(busted, sheet.body);
    // A yellow that cannot be read on white, and what is no colour, change nothing.
    let plain = editor.get("/embed/poll.css").await.expect(200).body;
    for query in ["accent=f2c94c", "accent=x%7D", "accent=", "v=1"] {
        let other = editor.get(&format!("/embed/poll.css?{query}")).await;
        assert_eq!(other.expect(200).body, plain, "{query}");
    }
}

#[tokio::test]
async fn an_accent_that_cannot_be_read_has_no_sheet() {
    let app = TestApp::start().await;
    for name in ["f2c94c.css", "6b21a8", "6b21a8.css.css", "x%7D.css", ".css"] {
        app.reader()
            .get(&format!("/accent/{name}"))
            .await
            .expect(404);
    }
}

/// Pages have tinted grounds, on which a colour that just reads on white does not.
#[tokio::test]
async fn a_pale_accent_is_darker_on_pages() {
    let app = TestApp::start().await;
    let sheet = app.reader().get("/accent/e11d1d.css").await.expect(200);
    let light = sheet.body.split_once("--accent: ").unwrap().1;
    let light = Colour::parse(&light[..7]).unwrap();
    let tint = Colour::parse("#f5f4f0").unwrap();
    assert!(light.contrast(tint) >= 4.5, "{}", sheet.body);
    let pages = include_str!("../src/web/assets/reader.css");
    assert!(pages.contains(&format!("--paper-tint: {tint};")));
}

/// On every page that shows it, so that it is read aloud and hyphenated in its own language.
#[tokio::test]
async fn a_poll_is_in_the_language_of_its_newsletter() {
    let app = TestApp::start().await;
    changed(&app).await;
    let letter = newsletters::by_slug(app.app.db.read(), "premium").await;
    let letter = letter.unwrap().unwrap().id;
    let over = START + Duration::from_secs(60);
    let poll = app
        .poll_with("trust", |poll| {
            poll.newsletter = Some(letter);
            poll.intro = "Eine Frage.".into();
            poll.closes_at = Some(over);
        })
        .await;
    let reader = app.reader();
    let token = app.app.keys.seal(Purpose::Vote, &pack(&[poll.0, 1, 1, 99]));
    let pages = ["/p/trust".to_owned(), format!("/v/{token}")];
    for path in pages {
        let page = reader.get(&path).await.expect(200);
        let words = page.attributes(".poll-intro, legend, .option-text", "lang");
        assert_eq!(words, ["de-AT"; 5], "{path}");
    }
    app.advance(Duration::from_secs(60));
    for path in ["/p/trust/results", "/embed/p/trust"] {
        let page = reader.get(path).await.expect(200);
        let words = page.attributes("caption [lang], .result-label", "lang");
        assert_eq!(words, ["de-AT"; 4], "{path}");
    }
}
