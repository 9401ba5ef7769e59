//! Answers that an editor excludes, by hour, place and tier: first shown as numbers, then with a reason that
//! readers see, and given back.

use std::time::Duration;

use canvass::polls::{self, ballots};
use canvass::types::PollId;
use futures::future::join_all;

use crate::support::app::{START, TestApp};
use crate::support::editor::signed_in;
use crate::support::reader::Reader;
use crate::support::wait;

/// 12 answers on the poll's page at nine o'clock UTC, then 14 from embeds an hour later.
async fn answered(app: &TestApp) -> Reader {
    app.poll("trust").await;
    for who in 0..26 {
        if who == 12 {
            app.advance(Duration::from_secs(3_600));
        }
        let mut fields = vec![("option", if who < 12 { "1" } else { "2" })];
        if who >= 12 {
            fields.push(("place", "embed"));
        }
        app.reader().post("/p/trust", &fields).await.expect(200);
    }
    signed_in(app).await
}

async fn verified(app: &TestApp) -> Vec<String> {
    let poll = polls::by_slug(&app.app.db, "trust").await.unwrap().unwrap();
    let verified = ballots::verify(&app.app.db, poll.id).await.unwrap();
    verified.unwrap().findings
}

#[tokio::test]
async fn polls_answers_are_left_out_in_public_and_given_back() {
    let app = TestApp::start().await;
    let editor = answered(&app).await;
    let page = editor.get("/admin/polls/trust").await.expect(200);
    let page = editor.follow(&page, "Leave answers out").await.expect(200);
    // In Berlin the second hour begins at eleven.
    let asked = page.form("form.filters").fill("from", "2026-03-02T11:00");
    let page = editor.submit(asked.choose("place", "2")).await.expect(200);
    let page = page.says("14 answers of the 26 that count match");
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot_removal").await, 0);
    let form = page.form("main form.form");
    editor
        .submit(form.clone().fill("reason", " ").button("then", "remove"))
        .await
        .expect(422)
        .says("Write why");
    let form = form
        .fill("reason", "A class did its homework twice")
        .button("then", "remove");
    // 14 of 26 are more than a quarter, so the remaining result must be confirmed first.
    let page = editor.submit(form).await.expect(200);
    let page = page.says("Leave 14 answers of 26 out?");
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot_removal").await, 0);
    let form = page.form("main form.form").button("then", "remove");
    let page = editor
        .submit(form)
        .await
        .expect(200)
        .says("readers see your reason");
    let result = app.reader().get("/p/trust/results").await.expect(200);
    let result =
        result.says("14 answers were left out by the editors: A class did its homework twice");
    // No answer from an embed counts any more.
    result.says("12 readers chose to answer, on 2 March 2026, on the poll’s page. They selected");
    assert_eq!(
        app.count("SELECT CAST(SUM(n) AS BIGINT) FROM tally WHERE option_id = 0")
            .await,
        12
    );
    assert_eq!(verified(&app).await, Vec::<String>::new());
    editor
        .get("/admin/polls/trust")
        .await
        .says("14 answers were left out by the editors: A class did its homework twice");
    let back = page
        .form("form.inline-form[action='/admin/polls/trust/removals']")
        .button("then", "restore");
    let page = editor
        .submit(back.clone())
        .await
        .expect(200)
        .says("count again");
    assert!(page.text().contains("Given back"));
    assert_eq!(
        app.count("SELECT CAST(SUM(n) AS BIGINT) FROM tally WHERE option_id = 0")
            .await,
        26
    );
    editor
        .submit(back)
        .await
        .expect(409)
        .says("nothing to restore");
    let result = app.reader().get("/p/trust/results").await.expect(200);
    assert!(!result.text().contains("left out by the editors"));
    assert_eq!(verified(&app).await, Vec::<String>::new());
}

/// If an editor could set a single answer aside, the result would show what it said.
#[tokio::test]
async fn polls_nobody_leaves_out_so_few_that_it_shows_what_they_said() {
    let app = TestApp::start().await;
    let editor = answered(&app).await;
    app.advance(Duration::from_secs(3_600));
    app.reader()
        .post("/p/trust", &[("option", "3")])
        .await
        .expect(200);
    let path = "/admin/polls/trust/removals";
    let get = |query: &str| {
        let url = format!("{path}?{query}");
        let editor = editor.clone();
        async move { editor.get(&url).await.expect(200) }
    };
    let page = get("from=2026-03-02T12:00")
        .await
        .says("Fewer than ten answers match");
    assert!(page.all("main form.form").is_empty());
    get("from=2026-03-02T12:00:30").await.says("whole hour");
    get("from=2026-03-02T12:30").await.says("whole hour");
    get("from=2026-03-02T12:00&until=2026-03-02T11:00")
        .await
        .says("after the beginning");
    get("place=4").await.says("No answer that counts");
    // A form that was never shown.
    let mut form = get("place=2")
        .await
        .form("main form.form")
        .fill("reason", "Because")
        .button("then", "remove");
    form.fields.push(("sure".to_owned(), "yes".to_owned()));
    for (field, value, status) in [
        ("place", "0", 200),
        ("from", "2026-03-02T12:00", 422),
        ("place", "", 422),
    ] {
        let mut form = form.clone();
        form.fields
            .retain(|(name, _)| !["from", "until", "place", "tier"].contains(&name.as_str()));
        form.fields
            .extend(["from", "until", "place", "tier"].map(|name| {
                let value = if name == field { value } else { "" };
                (name.to_owned(), value.to_owned())
            }));
        let page = editor.submit(form).await;
        assert_eq!(page.status.as_u16(), status, "{field}={value}");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot_removal").await, 1);
    assert!(app.app.clock.now() > START);
}

/// If an editor could set all but one aside, the result would show what that one said.
#[tokio::test]
async fn polls_nobody_leaves_out_so_many_that_it_shows_what_the_others_said() {
    let app = TestApp::start().await;
    let editor = answered(&app).await;
    for _ in 0..3 {
        let fields = [("option", "3")];
        app.reader().post("/p/trust", &fields).await.expect(200);
    }
    let path = "/admin/polls/trust/removals";
    let get = |query: &str| {
        let url = format!("{path}?{query}");
        let editor = editor.clone();
        async move { editor.get(&url).await.expect(200) }
    };
    // Nine o'clock: 12 on the page. Ten o'clock: 3 on the page, 14 in embeds.
    let early = get("until=2026-03-02T11:00").await;
    assert_eq!(early.all("main form.form table").len(), 1, "by time alone");
    let embeds = get("place=2").await.says("14 answers of the 29");
    assert!(
        embeds.all("main form.form table").is_empty(),
        "less a table by time it would be the 3 of the hour"
    );
    let alone = [
        ("place=0&until=2026-03-02T11:00", "the 3 later on the page"),
        ("place=2&from=2026-03-02T11:00", "the 3 of the same hour"),
    ];
    for (query, whom) in alone {
        let page = get(query).await.says("Fewer than ten other answers");
        assert!(page.all("main form.form").is_empty(), "{whom}");
        // A form that was never shown.
        let form = embeds.form("main form.form").fill("reason", "Because");
        let mut form = form.button("then", "remove");
        let asked: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        for (name, value) in &mut form.fields {
            if let Some((_, asked)) = asked.iter().find(|(field, _)| field == name) {
                *value = asked.clone().into_owned();
            }
        }
        form.fields.push(("sure".to_owned(), "yes".to_owned()));
        let page = editor.submit(form).await.expect(422);
        page.says("Fewer than ten other answers");
    }
    // With the 12 of nine o'clock out, the embeds are all but three.
    let form = early.form("main form.form").fill("reason", "A test");
    let mut form = form.button("then", "remove");
    form.fields.push(("sure".to_owned(), "yes".to_owned()));
    editor.submit(form).await.expect(200);
    get("place=2").await.says("Fewer than ten other answers");
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot_removal").await, 1);
}

/// Two editors press at the same time. Either of them would leave more than ten others, both together one.
#[tokio::test(flavor = "multi_thread")]
async fn polls_two_editors_at_once_do_not_leave_so_few_that_it_shows_what_they_said() {
    let app = TestApp::start().await;
    let editor = answered(&app).await;
    app.advance(Duration::from_secs(3_600));
    let fields = [("option", "3")];
    app.reader().post("/p/trust", &fields).await.expect(200);
    let mut forms = Vec::new();
    for query in [
        "until=2026-03-02T11:00",
        "from=2026-03-02T11:00&until=2026-03-02T12:00",
    ] {
        let url = format!("/admin/polls/trust/removals?{query}");
        let page = editor.get(&url).await.expect(200);
        let form = page.form("main form.form").fill("reason", "A test");
        let mut form = form.button("then", "remove");
        form.fields.push(("sure".to_owned(), "yes".to_owned()));
        forms.push(editor.submit(form));
    }
    let held = app.app.db.write_txn("test").await.unwrap();
    canvass::db::run(&*held, "UPDATE poll SET state = state", [])
        .await
        .unwrap();
    let (pages, ()) = tokio::join!(join_all(forms), async {
        app.wait_until_blocked(2).await;
        held.commit().await.unwrap();
    });
    let (left_out, refused): (Vec<_>, Vec<_>) =
        pages.into_iter().partition(|page| page.status == 200);
    assert_eq!((left_out.len(), refused.len()), (1, 1));
    for page in refused {
        page.expect(422).says("Fewer than ten other answers");
    }
    assert_eq!(app.count("SELECT COUNT(*) FROM ballot_removal").await, 1);
    assert_eq!(verified(&app).await, Vec::<String>::new());
}

#[tokio::test]
async fn polls_a_difference_found_by_the_audit_is_on_the_editors_pages() {
    let app = TestApp::start().await;
    let editor = answered(&app).await;
    app.app.polls.audits.tick(&app.app.db).await.unwrap();
    let quiet = editor.get("/admin").await.expect(200);
    assert!(!quiet.text().contains("do not match its ballots"));
    let txn = app.app.db.write_txn("test").await.unwrap();
    let sql = "UPDATE tally SET n = n + 1 WHERE option_id <> 0";
    canvass::db::run(&*txn, sql, []).await.unwrap();
    txn.commit().await.unwrap();
    let id = app.count("SELECT id FROM poll").await;
    let audits = &app.app.polls.audits;
    wait::until("the audit finds the difference", async || {
        audits.tick(&app.app.db).await.unwrap();
        !audits.differences(PollId(id)).is_empty()
    })
    .await;
    let page = editor.get("/admin").await.expect(200);
    page.says("do not match its ballots");
    let page = editor.get("/admin/polls/trust").await.expect(200);
    page.says("canvass verify poll trust");
}
