//! The editors' result of a poll: with the shares that readers see, and beside everybody's answers.

use canvass::polls::{Kind, Tier};

use super::support::app::TestApp;
use super::support::editor::signed_in;

/// Adds to the tally of the only poll: the position of an option (0: voters), a tier and a number.
async fn tallied(app: &TestApp, rows: &[(i64, i64, i64)]) {
    let txn = app.app.db.write_txn("test").await.unwrap();
    for (position, tier, n) in rows {
        let sql = format!(
            "INSERT INTO tally (poll_id, option_id, tier, slot, n) SELECT id, \
             COALESCE((SELECT id FROM poll_option WHERE position = {position}), 0), {tier}, 0, {n} FROM poll"
        );
        canvass::db::run(&*txn, sql, []).await.unwrap();
    }
    txn.commit().await.unwrap();
}

/// A thousand readers answer the first question, a hundred of them also the second, which is optional.
#[tokio::test]
async fn editors_see_the_shares_that_readers_see() {
    let app = TestApp::start().await;
    app.poll_with("trust", |poll| {
        let mut second = poll.questions[0].clone();
        (second.text, second.required) = ("Every day?".into(), false);
        second.options.truncate(2);
        poll.questions.push(second);
    })
    .await;
    tallied(
        &app,
        &[(0, 0, 1_000), (1, 0, 1_000), (4, 0, 60), (5, 0, 40)],
    )
    .await;
    let page = signed_in(&app).await.get("/admin/polls/trust").await;
    let shown = page.expect(200).all(".bars .num");
    let second = &shown[shown.len() - 4..];
    assert_eq!(second, ["60", "60%", "40", "40%"]);
    let public = app.reader().get("/p/trust/results").await.expect(200);
    public.says("60%").says("40%");
}

#[tokio::test]
async fn the_result_is_shown_beside_everybodys_answers() {
    let app = TestApp::start().await;
    app.poll_with("trust", |poll| poll.headline_tier = Tier::Subscriber)
        .await;
    let browser = signed_in(&app).await;
    tallied(
        &app,
        &[(0, 2, 40), (1, 2, 30), (3, 2, 10), (0, 0, 9), (2, 0, 9)],
    )
    .await;
    // What nine readers said could be worked out from two columns.
    let page = browser.get("/admin/polls/trust").await.expect(200);
    let page = page.says("9 readers who answered are not counted in the result");
    let result = ["30", "75%", "0", "0%", "10", "25%"];
    assert_eq!(page.all(".bars .num"), result);

    tallied(&app, &[(0, 1, 11), (2, 1, 11)]).await;
    let page = browser.get("/admin/polls/trust").await.expect(200);
    let page = page.says("The result counts confirmed subscribers.");
    assert_eq!(
        page.all("#results td.num"),
        [
            "30", "75%", "30", "50%", "0", "0%", "20", "33%", "10", "25%", "10", "17%"
        ]
    );
    assert!(!page.text().contains("are not counted in the result"));
    assert_eq!(page.all(".stat dd"), ["60", "40"]);
}

#[tokio::test]
async fn readers_who_answered_and_are_not_counted_are_not_nobody() {
    let app = TestApp::start().await;
    app.poll_with("trust", |poll| poll.headline_tier = Tier::Subscriber)
        .await;
    let browser = signed_in(&app).await;
    let pages = async || {
        let editors = browser.get("/admin/polls/trust").await.expect(200);
        let public = app.reader().get("/p/trust/results").await.expect(200);
        [editors, public]
    };
    for page in pages().await {
        page.says("Nobody has answered yet.");
    }
    let answer = app.reader().post("/p/trust", &[("option", "1")]).await;
    answer.expect(200);
    for page in pages().await {
        let page = page.says("None of those who answered is counted here yet.");
        assert!(!page.text().contains("Nobody has answered"), "{}", page.url);
    }
}

/// The differences between the two columns are what the export hides.
#[tokio::test]
async fn everybodys_answers_are_left_out_where_they_tell_what_a_few_said() {
    let hides = "They would reveal what fewer than ten";
    for (most, rows, hidden) in [
        // Of twenty others, nine chose an answer; or nineteen of them one, and the last left the question out.
        (1, &[(0, 0, 20), (1, 0, 11), (2, 0, 9)][..], true),
        (1, &[(0, 0, 20), (1, 0, 19)], true),
        (1, &[(0, 0, 20), (1, 0, 10), (2, 0, 10)], false),
        // If several can be chosen, those who did not choose an answer are not in any row.
        (2, &[(0, 0, 20), (1, 0, 19), (2, 0, 10)], true),
        (2, &[(0, 0, 20), (1, 0, 10), (2, 0, 10)], false),
    ] {
        let app = TestApp::start().await;
        app.poll_with("trust", |poll| {
            poll.headline_tier = Tier::Subscriber;
            poll.questions[0].max_choices = most;
            if most > 1 {
                poll.questions[0].kind = Kind::Several;
            }
        })
        .await;
        tallied(&app, &[(0, 2, 40), (1, 2, 30), (2, 2, 20)]).await;
        tallied(&app, rows).await;
        let page = signed_in(&app).await.get("/admin/polls/trust").await;
        let page = page.expect(200);
        let text = page.text();
        assert_eq!(text.contains(hides), hidden, "{rows:?}: {text}");
        assert_eq!(page.all("#results table").len(), usize::from(!hidden));
    }
}
