//! The editors' pages about polls.

use super::support::app::TestApp;
use super::support::editor::signed_in;
use super::support::reader::{Form, Page};

fn own_form(page: &Page) -> Form {
    page.form("main form.form")
}

#[tokio::test]
async fn a_poll_is_drafted_opened_closed_and_opened_again() {
    let app = TestApp::start().await;
    app.newsletter("premium").await;
    let browser = signed_in(&app).await;
    browser
        .get("/admin/polls")
        .await
        .expect(200)
        .says("No polls yet");

    let page = browser.get("/admin/polls/new").await.expect(200);
    let form = own_form(&page)
        .fill("question.1", "Is the tram worth it?")
        .choose("newsletter", "premium");
    let page = browser
        .submit(form.with_options(1, &["Yes", "No"]).button("then", "add.1"))
        .await
        .expect(200);
    assert_eq!(
        page.attributes("input[name='option.1']", "value"),
        ["Yes", "No", ""]
    );
    assert_eq!(
        app.count("SELECT COUNT(*) FROM poll").await,
        0,
        "a line more is no poll yet"
    );
    let page = browser
        .submit(own_form(&page).button("then", "remove.1.1"))
        .await
        .expect(200);
    assert_eq!(
        page.attributes("input[name='option.1']", "value"),
        ["No", ""]
    );

    let form = own_form(&page).with_options(1, &["Yes", "No", "", "Ask me later"]);
    let form = form
        .fill("closes", "2026-03-09T18:00")
        .fill("time_zone", "Europe/Berlin");
    let page = browser
        .submit(form.button("then", "save"))
        .await
        .expect(200);
    assert_eq!(page.url.path(), "/admin/polls/is-the-tram-worth-it");
    let page = page
        .says("Draft")
        .says("Nobody sees it until you open it")
        .says("The premium letter");
    let paste = browser
        .follow(&page, "Show what to paste")
        .await
        .expect(200);
    assert!(
        paste.all("#short")[0].contains("options=\"3\""),
        "{:?}",
        paste.all("textarea")
    );

    let page = browser
        .submit(page.form("form[action$='/publish']"))
        .await
        .expect(200);
    let page = page
        .says("Mon 9 Mar 2026, 18:00 Europe/Berlin (17:00 UTC)")
        .says("Open");
    let published = page.form("form[action$='/close']");
    let page = browser
        .submit(published.clone())
        .await
        .expect(200)
        .says("Closed");
    // Pressing the same button twice is no error; pressing one that is no longer valid is.
    browser.submit(published).await.expect(200);
    let page = browser
        .submit(page.form("form[action$='/reopen']"))
        .await
        .expect(200)
        .says("accepts answers again");
    let mut again = page.form("form[action$='/close']");
    again
        .action
        .set_path("/admin/polls/is-the-tram-worth-it/publish");
    browser.submit(again).await.expect(200);

    let list = browser
        .get("/admin/polls?state=open&q=TRAM")
        .await
        .expect(200)
        .says("1 poll matches");
    list.says("Is the tram worth it?").says("9 Mar 2026, 18:00");
    // Search ignores case, also beyond ASCII, and takes the text literally.
    app.poll_with("zurich", |d| {
        d.questions[0].text = "Ärgert Sie ÉTÉ [das] in Zürich*?".into()
    })
    .await;
    for (typed, finds) in [
        ("%C3%84RGERT", 1),
        ("%C3%A4rgert+sie+%C3%A9t%C3%A9", 1),
        ("Z%C3%9CRICH*", 1),
        ("%5Bdas%5D", 1),
        ("%5Ba-z%5D", 0),
        ("?*", 0),
        ("%25", 0),
        ("z_rich", 0),
    ] {
        let page = browser.get(&format!("/admin/polls?q={typed}")).await;
        let page = page.expect(200);
        assert_eq!(page.text().contains("in Zürich"), finds == 1, "{typed}");
    }
    browser
        .get("/admin/polls?state=draft")
        .await
        .expect(200)
        .says("No poll matches");
    browser.get("/admin/polls/unknown").await.expect(404);
}

#[tokio::test]
async fn a_draft_changes_whole_and_an_open_poll_only_its_times() {
    let app = TestApp::start().await;
    let browser = signed_in(&app).await;
    let page = browser.get("/admin/polls/new").await;
    let form = own_form(&page)
        .fill("question.1", "First?")
        .fill("slug", "mine")
        .with_options(1, &["A", "B"]);
    browser.submit(form.clone()).await.expect(200);
    let taken = form.fill("question.1", "Another?");
    let taken = browser.submit(taken).await.expect(422);
    taken.says("Another poll has this name");

    let edit = browser.get("/admin/polls/mine/edit").await.expect(200);
    let earlier = own_form(&edit);
    let form = earlier
        .clone()
        .fill("question.1", "Second?")
        .choose("kind.1", "several")
        .with_options(1, &["A", "B", "C"]);
    browser
        .submit(form.fill("max_choices.1", "3"))
        .await
        .expect(200)
        .says("Second?")
        .says("1 to 3 options");
    let late = earlier
        .fill("question.1", "Third?")
        .with_options(1, &["A", "B"]);
    browser
        .submit(late)
        .await
        .expect(409)
        .says("Somebody else changed this poll");

    // A form of the draft is not saved after somebody opened the poll: its questions would be lost without a word.
    let edit = browser.get("/admin/polls/mine/edit").await.expect(200);
    let draft = own_form(&edit).fill("question.1", "Fourth?");
    let page = browser.get("/admin/polls/mine").await;
    browser
        .submit(page.form("form[action$='/publish']"))
        .await
        .expect(200);
    browser
        .submit(draft.button("then", "save"))
        .await
        .expect(409)
        .says("Somebody else changed this poll");
    let edit = browser
        .get("/admin/polls/mine/edit")
        .await
        .expect(200)
        .says("Readers have seen the question");
    let mut form = own_form(&edit)
        .fill("closes", "2026-03-03 07:00")
        .choose("visibility", "never");
    form.fields
        .push(("question.1".into(), "Changed behind readers' backs?".into()));
    browser
        .submit(form)
        .await
        .expect(200)
        .says("Second?")
        .says("Only editors");
    let edit = browser.get("/admin/polls/mine/edit").await.expect(200);
    browser
        .submit(own_form(&edit).fill("opens", "2026-03-04 07:00"))
        .await
        .expect(422)
        .says("close after it opens");
}

/// A tab that was left open must not move the close back, or open a poll that somebody has closed.
#[tokio::test]
async fn an_outdated_form_of_an_open_poll_is_not_saved() {
    let app = TestApp::start().await;
    let browser = signed_in(&app).await;
    app.poll("trust").await;
    let edit = browser.get("/admin/polls/trust/edit").await.expect(200);
    let stale = own_form(&edit).fill("closes", "2026-03-03 07:00");
    let later = own_form(&edit).fill("closes", "2026-03-04 07:00");
    browser.submit(later).await.expect(200);
    let closes = app.count("SELECT closes_ms FROM poll").await;
    browser
        .submit(stale)
        .await
        .expect(409)
        .says("Somebody else changed this poll");
    assert_eq!(app.count("SELECT closes_ms FROM poll").await, closes);

    let edit = browser.get("/admin/polls/trust/edit").await.expect(200);
    let stale = own_form(&edit).fill("closes", "2026-03-05 07:00");
    let page = browser.get("/admin/polls/trust").await;
    browser
        .submit(page.form("form[action$='/close']"))
        .await
        .expect(200);
    browser.submit(stale.clone()).await.expect(409);
    let mut without = stale;
    without.fields.retain(|(name, _)| name != "revision");
    browser.submit(without).await.expect(409);
    assert_eq!(app.count("SELECT closes_ms FROM poll").await, closes);
}

#[tokio::test]
async fn the_live_result_counts_every_tier_for_editors() {
    let app = TestApp::start().await;
    let poll = app.poll("trust").await;
    let browser = signed_in(&app).await;
    let page = browser
        .get("/admin/polls/trust")
        .await
        .expect(200)
        .says("Nobody has answered yet");
    assert_eq!(page.attributes("[data-live]", "id"), ["results"]);

    let txn = app.app.db.write_txn("test").await.unwrap();
    let tally = "INSERT INTO tally (poll_id, option_id, tier, slot, n) VALUES \
        ($1, 0, 0, 0, 30), ($1, 0, 2, 0, 10), ($1, (SELECT MIN(id) FROM poll_option), 0, 0, 30), \
        ($1, (SELECT MAX(id) FROM poll_option), 2, 0, 10)";
    canvass::db::run(&*txn, tally, [poll.into()]).await.unwrap();
    txn.commit().await.unwrap();

    let page = browser.get("/admin/polls/trust").await.expect(200);
    assert_eq!(page.all(".stat dd"), ["40", "10"]);
    assert_eq!(
        page.all(".bars .num"),
        ["30", "75%", "0", "0%", "10", "25%"]
    );
    let list = browser.get("/admin/polls?sort=-answers").await.expect(200);
    assert_eq!(list.all("td.num"), ["40", "10"]);
}

#[tokio::test]
async fn the_list_says_that_a_poll_has_more_questions() {
    let app = TestApp::start().await;
    app.poll("one").await;
    app.poll_with("three", |poll| {
        let first = poll.questions[0].clone();
        poll.questions.extend(["Why?", "Since when?"].map(|text| {
            let mut next = first.clone();
            next.text = text.into();
            next
        }));
    })
    .await;
    let editor = signed_in(&app).await;
    let list = editor.get("/admin/polls?sort=question").await.expect(200);
    let rows = list.all("tbody th");
    let more: Vec<_> = rows.iter().filter(|row| row.contains("more")).collect();
    assert_eq!(more.len(), 1, "{rows:?}");
    assert!(more[0].ends_with("… and 2 more questions"), "{rows:?}");
}

#[tokio::test]
async fn the_list_is_cut_into_pages_without_gaps() {
    let app = TestApp::start().await;
    for n in 0..103 {
        app.poll(&format!("poll-{n:03}")).await;
    }
    let browser = signed_in(&app).await;
    let mut page = browser
        .get("/admin/polls?sort=question")
        .await
        .expect(200)
        .says("1 to 50 of 103");
    let mut seen = page.attributes("tbody th a", "href");
    for _ in 0..2 {
        page = browser.follow(&page, "Next page").await.expect(200);
        seen.extend(page.attributes("tbody th a", "href"));
    }
    page.says("101 to 103 of 103");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 103);
    browser
        .get("/admin/polls?page=1")
        .await
        .says("1 to 50 of 103");
    for odd in [
        "page=-1",
        "page=999999999999",
        "page=x",
        "sort=%27;DROP",
        "state=%00",
        "q=%25_%5C",
    ] {
        browser
            .get(&format!("/admin/polls?{odd}"))
            .await
            .expect(200);
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_poll_is_said_beside_the_field() {
    let app = TestApp::start().await;
    let browser = signed_in(&app).await;
    let form = own_form(&browser.get("/admin/polls/new").await)
        .with_options(1, &["Yes", "No"])
        .fill("question.1", "Why?");
    for (field, value, shown_at) in [
        ("question.1", "", "question.1"),
        ("question.1", "a\r\nb", "question.1"),
        ("slug", "Not A Slug", "slug"),
        ("time_zone", "Mars/Olympus", "time_zone"),
        ("opens", "2026-02-30T10:00", "opens"),
        ("closes", "yesterday", "closes"),
    ] {
        let page = browser
            .submit(form.clone().fill(field, value))
            .await
            .expect(422);
        assert_eq!(
            page.attributes(".error-summary a", "href"),
            [format!("#{shown_at}")],
            "{field}"
        );
        assert_eq!(
            page.attributes("input[name='option.1']", "value"),
            ["Yes", "No"],
            "kept"
        );
    }
    let page = browser
        .submit(
            form.clone()
                .fill("question.1", "")
                .fill("closes", "yesterday")
                .with_options(1, &["Yes"]),
        )
        .await
        .expect(422);
    assert_eq!(
        page.attributes(".error-summary a", "href"),
        ["#question.1", "#options.1", "#closes"],
        "in the order of the form"
    );
    for options in [&["Yes"][..], &["Yes", "Yes"], &["Yes", &"x".repeat(1_000)]] {
        let page = browser
            .submit(form.clone().with_options(1, options))
            .await
            .expect(422);
        assert_eq!(page.attributes(".error-summary a", "href"), ["#options.1"]);
    }
    browser
        .submit(form.clone().with_options(1, &["a\0", "b"]))
        .await
        .expect(400);
    let many = vec!["x"; 900];
    browser
        .submit(form.with_options(1, &many))
        .await
        .expect(422);
    assert_eq!(app.count("SELECT COUNT(*) FROM poll").await, 0);
}
