//! A consent text that is changed while a form is open: the reader agrees to the text that the form showed.

use canvass::newsletters::{self, Typed};

use crate::subscriptions_double_opt_in::text;
use crate::support::app::TestApp;

const NEW_WORDS: &str = "Send me this newsletter, and offers of partners.";

/// Creates version 2 of the consent text.
async fn change_the_words(app: &TestApp) {
    let db = &app.app.db;
    let letter = newsletters::by_slug(db.read(), "premium").await.unwrap();
    let letter = letter.unwrap();
    let consent = newsletters::current_consent(db.read(), letter.id).await;
    let stored = Typed::of(&letter, consent.unwrap());
    let revision = stored.revision();
    let typed = Typed {
        consent: NEW_WORDS.into(),
        ..stored
    };
    let txn = db.write_txn("test").await.unwrap();
    let (draft, now) = (typed.check().unwrap(), app.app.clock.now());
    let saved = newsletters::save(&txn, letter.id, &revision, &draft, now).await;
    assert!(saved.unwrap());
    txn.commit().await.unwrap();
}

#[tokio::test]
async fn the_form_shown_again_is_not_ticked_beside_other_words() {
    let app = TestApp::start().await;
    app.newsletter("premium").await;
    let reader = app.reader();
    let old = reader.get("/subscribe/premium").await.expect(200);
    let old = old.the_form().tick("consent", "1");
    change_the_words(&app).await;
    app.advance(crate::polls_linked::SECOND * 5);
    let page = reader.submit(old.clone().fill("email", "anna@")).await;
    let page = page.expect(422).says(NEW_WORDS).says("wording has changed");
    let form = page.the_form();
    assert_eq!(form.value("consent"), None, "nobody has read these");
    let form = form.fill("email", "anna@example.org");
    app.advance(crate::polls_linked::SECOND * 5);
    reader.submit(form.clone()).await.expect(422);
    reader.submit(form.tick("consent", "2")).await.expect(200);

    // If nothing else is wrong, the agreement to the text that was shown is valid.
    let sent = old.fill("email", "bert@example.org");
    reader.submit(sent).await.expect(200);
    for (address, version) in [("anna", "2"), ("bert", "1")] {
        let sql = format!(
            "SELECT CAST(t.version AS TEXT) FROM subscription_request r JOIN consent_text t ON t.id = r.consent_text_id \
             WHERE r.email = '{address}@example.org'"
        );
        assert_eq!(text(&app, &sql).await, version, "{address}");
    }
}

#[tokio::test]
async fn polls_shown_again_are_not_ticked_beside_other_words() {
    let app = TestApp::start().await;
    crate::polls_linked::asked(&app).await;
    let reader = app.reader();
    let old = reader.get("/p/trust").await.expect(200).the_form();
    let old = old.choose("option", "1").tick("consent", "1");
    let typo = old.clone().fill("email", "anna@");
    let page = reader.submit(typo.clone()).await.expect(422);
    assert_eq!(
        page.the_form().value("consent"),
        Some("1"),
        "they were read"
    );
    change_the_words(&app).await;
    let page = reader.submit(typo).await.expect(422);
    let page = page.says(NEW_WORDS).says("wording has changed");
    assert_eq!(page.the_form().value("consent"), None);
}
