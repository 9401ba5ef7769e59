//! The editors' form: several questions that buttons rearrange, all kinds, exact times, and a preview.

use std::time::Duration;

use canvass::types::UnixMillis;

use super::support::app::{START, TestApp};
use super::support::editor::signed_in;
use super::support::reader::{Form, Page};

fn own_form(page: &Page) -> Form {
    page.form("main form.form")
}

fn with_options(mut form: Form, question: usize, options: &[&str]) -> Form {
    let name = format!("option.{question}");
    form.fields.retain(|(field, _)| *field != name);
    form.fields
        .extend(options.iter().map(|o| (name.clone(), (*o).to_owned())));
    form
}

#[tokio::test]
async fn questions_are_added_moved_and_removed_by_buttons() {
    let app = TestApp::start().await;
    let browser = signed_in(&app).await;
    let page = browser.get("/admin/polls/new").await.expect(200);
    assert_eq!(page.all(".question-card h2"), ["The question"]);
    let form = with_options(own_form(&page).fill("question.1", "First?"), 1, &["a", "b"]);
    let page = browser
        .submit(form.button("then", "add-question"))
        .await
        .expect(200);
    assert_eq!(page.all(".question-card h2"), ["Question 1", "Question 2"]);
    let form = own_form(&page)
        .fill("question.2", "Second?")
        .choose("kind.2", "ranked");
    let form = with_options(form, 2, &["c", "d", "e"]);
    let page = browser
        .submit(form.clone().button("then", "raise.2.2"))
        .await
        .expect(200);
    assert_eq!(
        page.attributes("input[name='option.2']", "value"),
        ["d", "c", "e"]
    );
    let page = browser
        .submit(own_form(&page).button("then", "raise-question.2"))
        .await
        .expect(200);
    assert_eq!(
        page.attributes("input[name^='question.']", "value"),
        ["Second?", "First?"]
    );
    assert_eq!(own_form(&page).value("kind.1"), Some("ranked"));
    assert_eq!(
        app.count("SELECT COUNT(*) FROM poll").await,
        0,
        "nothing was saved by moving"
    );
    let page = browser
        .submit(own_form(&page).button("then", "save"))
        .await
        .expect(200);
    assert_eq!(page.url.path(), "/admin/polls/second");
    assert_eq!(app.count("SELECT COUNT(*) FROM poll_question").await, 2);

    // The stored draft is shown unchanged, and one question is removed.
    let page = browser.get("/admin/polls/second/edit").await.expect(200);
    assert_eq!(
        page.attributes("input[name='option.1']", "value"),
        ["d", "c", "e"]
    );
    let page = browser
        .submit(own_form(&page).button("then", "remove-question.2"))
        .await
        .expect(200);
    browser
        .submit(own_form(&page).button("then", "save"))
        .await
        .expect(200);
    assert_eq!(app.count("SELECT COUNT(*) FROM poll_question").await, 1);
    assert_eq!(app.count("SELECT COUNT(*) FROM poll_option").await, 3);
}

#[tokio::test]
async fn every_kind_is_made_by_the_form_and_seen_in_the_preview() {
    let app = TestApp::start().await;
    let browser = signed_in(&app).await;
    let form = own_form(&browser.get("/admin/polls/new").await.expect(200))
        .fill("question.1", "How good is the tram?")
        .choose("kind.1", "rating")
        .choose("scale.1", "0-10")
        .fill("low.1", "not at all")
        .fill("intro", "We ask once a year.")
        .untick("required.1");
    let mut preview = form.clone().button("then", "preview");
    preview.fields.retain(|(name, _)| name != "slug");
    let page = browser.submit(preview).await.expect(200);
    assert_eq!(page.all(".scale-point").len(), 11);
    let page = page
        .says("This is a preview")
        .says("We ask once a year.")
        .says("not at all");
    assert!(
        page.attributes("form.poll button", "type")
            .contains(&"button".to_owned())
    );
    assert_eq!(app.count("SELECT COUNT(*) FROM poll").await, 0);

    browser
        .submit(form.button("then", "save"))
        .await
        .expect(200)
        .says("Draft");
    assert_eq!(app.count("SELECT COUNT(*) FROM poll_option").await, 11);
    let drafts = browser
        .get("/admin/polls/how-good-is-the-tram")
        .await
        .expect(200);
    let page = browser.follow(&drafts, "Preview").await.expect(200);
    page.says("This is a preview").says("How good is the tram?");
    app.reader()
        .get("/p/how-good-is-the-tram")
        .await
        .expect(404);
    app.reader()
        .get("/admin/polls/how-good-is-the-tram/preview")
        .await
        .says("Sign in");

    let edit = browser
        .get("/admin/polls/how-good-is-the-tram/edit")
        .await
        .expect(200);
    let form = own_form(&edit).choose("kind.1", "single");
    let form = with_options(form, 1, &["Good", "Bad"])
        .tick("other.1", "1")
        .fill("other_label.1", "Something else");
    let form = form
        .tick("none.1", "1")
        .tick("random.1", "1")
        .tick("required.1", "1");
    browser
        .submit(form.button("then", "save"))
        .await
        .expect(200);
    let page = browser
        .get("/admin/polls/how-good-is-the-tram/preview")
        .await
        .expect(200);
    let mut options = page.all(".option-text");
    assert_eq!(options.split_off(2), ["Something else", "None of these"]);
    assert_eq!(page.attributes(".own-words input", "maxlength"), ["120"]);
}

#[tokio::test]
async fn what_is_wrong_stands_at_its_question_and_nothing_is_saved() {
    let app = TestApp::start().await;
    let browser = signed_in(&app).await;
    let page = browser.get("/admin/polls/new").await.expect(200);
    let form = with_options(own_form(&page).fill("question.1", "First?"), 1, &["a", "b"]);
    let page = browser
        .submit(form.button("then", "add-question"))
        .await
        .expect(200);
    let form = own_form(&page);
    for (change, shown_at) in [
        (
            with_options(form.clone().fill("question.2", "Second?"), 2, &["a"]),
            "#options.2",
        ),
        (with_options(form.clone(), 2, &["a", "b"]), "#question.2"),
        (
            form.clone()
                .fill("question.2", "Second?")
                .choose("kind.2", "rating")
                .fill("scale.2", "5-1"),
            "#scale.2",
        ),
        (
            form.clone()
                .fill("question.2", "Second?")
                .choose("kind.2", "rating")
                .fill("scale.2", "NaN"),
            "#scale.2",
        ),
        (
            with_options(
                form.clone()
                    .fill("question.2", "Second?")
                    .choose("kind.2", "ranked"),
                2,
                &["a"; 13],
            ),
            "#options.2",
        ),
        (
            with_options(
                form.clone()
                    .fill("question.2", "Second?")
                    .choose("kind.2", "several")
                    .fill("max_choices.2", "9"),
                2,
                &["a", "b"],
            ),
            "#max_choices.2",
        ),
    ] {
        let page = browser.submit(change).await.expect(422);
        let links = page.attributes(".error-summary a", "href");
        assert!(
            links.contains(&shown_at.to_owned()),
            "{links:?} lacks {shown_at}"
        );
        let id = shown_at.trim_start_matches('#');
        assert_eq!(
            page.attributes(&format!("[id='{id}']"), "id").len(),
            1,
            "the link leads somewhere"
        );
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM poll").await, 0);
}

#[tokio::test]
async fn opening_and_closing_are_exact_to_the_millisecond() {
    let app = TestApp::start().await;
    let browser = signed_in(&app).await;
    let form = own_form(&browser.get("/admin/polls/new").await.expect(200))
        .fill("question.1", "When?")
        .fill("time_zone", "Europe/Berlin")
        .fill("opens", "2026-03-09T18:00:30")
        .fill("closes", "2026-03-09T18:00:30.250");
    browser
        .submit(with_options(form, 1, &["a", "b"]))
        .await
        .expect(200);
    let closes = "SELECT closes_ms - opens_ms FROM poll";
    assert_eq!(app.count(closes).await, 250);
    let edit = browser.get("/admin/polls/when/edit").await.expect(200);
    assert_eq!(
        own_form(&edit).value("closes"),
        Some("2026-03-09T18:00:30.250")
    );
    let saved = browser.submit(own_form(&edit)).await.expect(200);
    assert_eq!(app.count(closes).await, 250, "saving again moves nothing");

    // The poll opens for readers at the same millisecond.
    browser
        .submit(saved.form("form[action$='/publish']"))
        .await
        .expect(200);
    let opens = UnixMillis(app.count("SELECT opens_ms FROM poll").await);
    let at = START + Duration::from_secs(7 * 24 * 3_600 + 8 * 3_600 + 30);
    assert_eq!(opens, at, "18:00:30 in Berlin is 17:00:30 UTC");
    let mut counted = 0;
    for (after, open) in [(-1, false), (0, true), (249, true), (250, false)] {
        app.app.clock.set(UnixMillis(opens.0 + after));
        let vote = app.reader().post("/p/when", &[("option", "1")]).await;
        let vote = vote.expect(if open { 200 } else { 409 });
        vote.says(match open {
            true => "Your answer has been counted",
            false => "Your answer was not counted",
        });
        counted += i64::from(open);
        let ballots = app.count("SELECT COUNT(*) FROM ballot").await;
        assert_eq!(ballots, counted, "{after} ms after the opening");
    }
    app.assert_the_count_agrees("when").await;
}
