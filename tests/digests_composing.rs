//! Writing an issue as an editor does: draft, preview, autosave, two editors at once, a test mail.

use serde_json::Value;

use crate::support::app::TestApp;
use crate::support::editor::{EDITOR, signed_in, signed_in_as};
use crate::support::page::Page;
use crate::support::reader::Reader;

/// A draft with a subject; the composer's page.
async fn draft(editor: &Reader, newsletter: &str, subject: &str) -> Page {
    let new = editor.get("/admin/issues/new").await.expect(200);
    let form = new.form("form[action='/admin/issues']");
    editor
        .submit(
            form.choose("newsletter", newsletter)
                .fill("subject", subject),
        )
        .await
        .expect(200)
}

/// Saves through the composer's button.
async fn save(editor: &Reader, page: &Page, body: &str, then: &str) -> Page {
    let form = page
        .form("#composer")
        .fill("body", body)
        .button("then", then);
    editor.submit(form).await
}

fn path(page: &Page) -> String {
    page.url.path().to_owned()
}

/// A newsletter, and an editor who is signed in.
async fn newsroom() -> (TestApp, Reader) {
    let app = TestApp::start().await;
    app.newsletter("brief").await;
    let editor = signed_in(&app).await;
    (app, editor)
}

/// The paths of an issue's POST forms, below its URL.
const POSTS: [&str; 9] = [
    "",
    "/autosave",
    "/delete",
    "/send",
    "/schedule",
    "/unschedule",
    "/pause",
    "/resume",
    "/cancel",
];

#[tokio::test]
async fn a_draft_is_written_previewed_and_found_again() {
    let app = TestApp::start().await;
    app.newsletter("brief").await;
    app.poll("trust").await;
    let editor = signed_in(&app).await;
    editor
        .get("/admin/issues")
        .await
        .expect(200)
        .says("No issues yet");
    let page = draft(&editor, "brief", "Trust, measured").await;
    let body =
        "# Good morning, {{name|reader}}\n\n[A story](https://example.org/a)\n\n{{poll:trust}}\n";
    let saved = save(&editor, &page, body, "preview")
        .await
        .expect(200)
        .says("Saved.");
    assert_eq!(saved.attributes("textarea[name=body]", "name").len(), 1);
    assert!(saved.body.contains("Good morning, {{name|reader}}"));

    let preview = editor
        .get(&format!("{}/preview", path(&saved)))
        .await
        .expect(200);
    let text = preview.text();
    for words in [
        "Good morning, Mara",
        "A story",
        "Do you trust the mainstream media?",
        "Unsure",
        "1 Press Street",
    ] {
        assert!(text.contains(words), "{words} not in {text}");
    }
    let policy = preview.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.contains("default-src 'none'")
            && policy.contains("style-src 'unsafe-inline'")
            && !policy.contains("script")
    );
    let plain = editor
        .get(&format!("{}/preview?view=text", path(&saved)))
        .await
        .expect(200);
    assert!(
        plain.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain")
    );
    assert!(
        plain.body.contains("A story <https://example.org/a>"),
        "{}",
        plain.body
    );

    let list = editor
        .get("/admin/issues?q=MEASURED&state=draft&sort=subject")
        .await
        .expect(200);
    assert_eq!(list.all("tbody th"), ["Trust, measured"]);
    editor
        .get("/admin/issues?q=nothing+like+it")
        .await
        .expect(200)
        .says("No issue matches");
    editor
        .get("/admin/issues?state=finished")
        .await
        .expect(200)
        .says("No issue matches");
}

#[tokio::test]
async fn of_two_editors_nobody_loses_words() {
    let app = TestApp::start().await;
    app.newsletter("brief").await;
    let mara = signed_in(&app).await;
    let omar = signed_in_as(&app, "omar@lindenpost.example").await;
    let maras = draft(&mara, "brief", "One").await;
    let omars = omar.get(&path(&maras)).await.expect(200);
    save(&mara, &maras, "Mara was here.", "preview")
        .await
        .expect(200);
    let both = save(&omar, &omars, "Omar was here.", "preview")
        .await
        .expect(409);
    assert!(both.body.contains("Mara was here.") && both.body.contains("Omar was here."));
    // Both in the direction of their language, as where they were written.
    assert_eq!(both.attributes("textarea", "dir"), ["auto", "auto"]);
    // Mara's version stays stored until Omar decides.
    assert!(
        mara.get(&path(&maras))
            .await
            .body
            .contains("Mara was here.")
    );
    let form = both
        .form("form[action^='/admin/issues/']")
        .fill("body", "Mara and Omar were here.")
        .button("then", "preview");
    omar.submit(form).await.expect(200).says("Saved.");
    assert!(
        mara.get(&path(&maras))
            .await
            .body
            .contains("Mara and Omar were here.")
    );
}

#[tokio::test]
async fn autosave_answers_with_what_the_page_shows() {
    let (_app, editor) = newsroom().await;
    let page = draft(&editor, "brief", "One").await;
    let form = page.form("#composer");
    let csrf = form.value("csrf").unwrap().to_owned();
    let revision = form.value("revision").unwrap().to_owned();
    let autosave = format!("{}/autosave", path(&page));
    let fields = |revision: &str, body: &str| {
        [
            ("csrf", csrf.clone()),
            ("revision", revision.to_owned()),
            ("subject", "Two".to_owned()),
            ("preheader", String::new()),
            ("body", body.to_owned()),
        ]
    };
    let send = async |revision: &str, body: &str| {
        let fields = fields(revision, body);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        editor.post(&autosave, &fields).await
    };
    let told: Value =
        serde_json::from_str(&send(&revision, "[a](/b)").await.expect(200).body).unwrap();
    assert_eq!(told["revision"], 2);
    assert_eq!(told["subject"], "Two");
    assert!(
        told["advice"][0]["text"]
            .as_str()
            .unwrap()
            .contains("leads nowhere")
    );
    // The same text again, based on an old revision, is no conflict; a different text is.
    send(&revision, "[a](/b)").await.expect(200);
    send(&revision, "other").await.expect(409);
    send("2", &"x".repeat(200_001)).await.expect(422);
    send("2", "a\0b").await.expect(400);
}

/// Browsers send each byte of a letter beyond ASCII as three.
#[tokio::test]
async fn a_text_may_be_as_long_in_every_script() {
    let (_app, editor) = newsroom().await;
    let page = draft(&editor, "brief", "Long").await;
    let (most, more) = ("ж".repeat(100_000), "ж".repeat(100_001));
    save(&editor, &page, &most, "preview").await.expect(200);
    save(&editor, &page, &more, "preview").await.expect(422);
    let too_large = "ж".repeat(110_000);
    save(&editor, &page, &too_large, "preview")
        .await
        .expect(413);
}

#[tokio::test]
async fn a_script_in_the_text_reaches_nobody() {
    let (_app, editor) = newsroom().await;
    let page = draft(&editor, "brief", "</textarea><script>alert(1)</script>").await;
    let body = "</textarea><script>alert(2)</script><img src=x onerror=alert(3)>";
    let page = save(&editor, &page, body, "preview").await.expect(200);
    assert!(
        page.attributes("script", "src")
            .iter()
            .all(|src| src.starts_with("/assets/"))
    );
    assert!(page.all("img").is_empty());
    let preview = editor
        .get(&format!("{}/preview", path(&page)))
        .await
        .expect(200);
    assert!(preview.all("script").is_empty() && !preview.body.contains("onerror"));
}

#[tokio::test]
async fn bad_input_is_answered_and_changes_nothing() {
    let (app, editor) = newsroom().await;
    let page = draft(&editor, "brief", "Kept").await;
    let address = path(&page);
    let form = page.form("#composer");
    let csrf = form.value("csrf").unwrap().to_owned();
    for (subject, status) in [
        ("a\r\nBcc: b@example.org", 422),
        (&"x".repeat(201), 422),
        ("a\u{7f}", 422),
    ] {
        let fields = [
            ("csrf", csrf.as_str()),
            ("revision", "1"),
            ("subject", subject),
            ("body", ""),
        ];
        let page = editor.post(&address, &fields).await.expect(status);
        assert!(!page.all(".error").is_empty());
    }
    let twice = [
        ("csrf", csrf.as_str()),
        ("revision", "1"),
        ("subject", "a"),
        ("subject", "b"),
        ("body", ""),
    ];
    editor.post(&address, &twice).await.expect(400);
    for bad in [
        "0",
        "-1",
        "999999",
        "abc",
        "9999999999999999999999",
        "%00",
        "1%2f2",
    ] {
        for tail in ["", "/preview", "/send", "/cancel"] {
            editor
                .get(&format!("/admin/issues/{bad}{tail}"))
                .await
                .expect(404);
        }
        for tail in POSTS {
            editor
                .post(&format!("/admin/issues/{bad}{tail}"), &[("csrf", &csrf)])
                .await
                .expect(404);
        }
    }
    for tail in POSTS {
        editor
            .post(&format!("{address}{tail}"), &[("subject", "x")])
            .await
            .expect(403);
    }
    for query in [
        "?q=%ff",
        "?page=-1&q=%27%3B--",
        "?sort=id%3Bdrop",
        "?q=1&q=2",
        "?page=99999999999999999999",
    ] {
        let status = editor
            .get(&format!("/admin/issues{query}"))
            .await
            .status
            .as_u16();
        assert!(status == 200 || status == 400, "{query}: {status}");
    }
    editor.get(&address).await.expect(200);
    assert_eq!(
        app.count("SELECT COUNT(*) FROM issue WHERE subject = 'Kept' AND revision = 1")
            .await,
        1
    );
}

#[tokio::test]
async fn a_draft_is_deleted_after_a_question() {
    let (app, editor) = newsroom().await;
    let page = draft(&editor, "brief", "Gone").await;
    let form = page.form("form[action$='/delete']");
    let asked = editor
        .submit(form)
        .await
        .expect(200)
        .says("Delete this draft?");
    assert_eq!(app.count("SELECT COUNT(*) FROM issue").await, 1);
    editor
        .submit(asked.form("form[action$='/delete']"))
        .await
        .expect(200);
    assert_eq!(app.count("SELECT COUNT(*) FROM issue").await, 0);
}

#[tokio::test]
async fn a_draft_that_was_saved_again_is_not_deleted_unread() {
    let (app, mara) = newsroom().await;
    let page = draft(&mara, "brief", "Two hands").await;
    let omar = signed_in_as(&app, "omar@lindenpost.example").await;
    let omars = omar.get(&path(&page)).await.expect(200);
    save(&omar, &omars, "Omar wrote on.", "preview")
        .await
        .expect(200);
    let stale = page.form("form[action$='/delete']");
    let told = mara.submit(stale).await.expect(409);
    told.says("was saved again, at 2 Mar 2026");
    let seen = mara.get(&path(&page)).await.expect(200);
    let asked = mara.submit(seen.form("form[action$='/delete']")).await;
    let asked = asked.expect(200).says("Delete this draft?");
    let omars = omar.get(&path(&page)).await.expect(200);
    save(&omar, &omars, "And on.", "preview").await.expect(200);
    let sure = asked.form("form[action$='/delete']");
    mara.submit(sure).await.expect(409).says("was not deleted");
    assert_eq!(app.count("SELECT COUNT(*) FROM issue").await, 1);
}

#[tokio::test]
async fn a_name_in_the_subject_is_filled_like_one_in_the_text() {
    let (app, editor) = newsroom().await;
    let page = draft(&editor, "brief", "{{ name | Friend }}, look at me").await;
    let before = app.mails_to(EDITOR).await.len();
    save(&editor, &page, "Dear {{name|reader}}", "test")
        .await
        .expect(200);
    let mail = app.mail_to(EDITOR, before + 1).await;
    let subject = mail.header("Subject");
    assert_eq!(subject.as_deref(), Some("Mara, look at me"));
}

#[tokio::test]
async fn a_test_goes_to_the_editor_alone() {
    let (app, editor) = newsroom().await;
    let page = draft(&editor, "brief", "Look at me").await;
    let before = app.mails_to(EDITOR).await.len();
    save(&editor, &page, "Dear {{name|reader}}", "test")
        .await
        .expect(200)
        .says("on its way to you");
    let mail = app.mail_to(EDITOR, before + 1).await;
    assert_eq!(mail.header("Subject").as_deref(), Some("Look at me"));
    assert!(mail.text.contains("Dear Mara"), "{}", mail.text);
    let preview = editor
        .get(&format!("{}/preview?view=text", path(&page)))
        .await;
    assert_eq!(mail.text.trim_end(), preview.body.trim_end());
}
