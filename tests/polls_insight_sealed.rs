//! The tables that editors see: after the sealing, and of polls with readers' own words.

use canvass::db::Backend;
use canvass::polls::ballots::seal::seal_due;
use canvass::polls::{Answers, NotCounted};

use crate::polls_insight::{answer, cells, town_poll, weigh};
use crate::support::app::TestApp;
use crate::support::editor::signed_in;

/// The count that editors have seen is deleted with the key. The final one beside it would be one reader's ballot.
#[tokio::test]
async fn polls_the_sealing_shows_no_table_that_differs_by_a_few_ballots() {
    for changed in [None, Some("1"), Some("2")] {
        let app = TestApp::start().await;
        town_poll(&app).await;
        for (first, second) in [("1", "4"), ("2", "4"), ("1", "5"), ("2", "5")] {
            answer(&app, 12, first, second).await;
        }
        let reader = app.reader();
        let say = async |first: &str| {
            let fields = [("option.1", first), ("option.2", "5")];
            reader.post("/p/trust", &fields).await.expect(200);
        };
        say("1").await;
        let editor = signed_in(&app).await;
        let compare = "/admin/polls/trust/compare?rows=2&columns=1";
        let before = cells(&editor.get(compare).await);
        app.app.polls.answers.keep(&app.app.db).await.unwrap();
        match changed {
            // The number of ballots is the same, but not what they say.
            Some("2") => say("2").await,
            Some(_) => answer(&app, 1, "2", "5").await,
            None => {}
        }
        seal(&app).await;
        let poll = canvass::polls::by_slug(&app.app.db, "trust").await.unwrap();
        let (restarted, now) = (Answers::default(), app.app.clock.now());
        let found = restarted
            .of(&app.app.db, &poll.unwrap(), 49, now)
            .await
            .unwrap();
        let page = editor.get(compare).await.expect(200);
        let export = "/admin/polls/trust/export/tables.csv";
        let lines = editor.get(export).await.expect(200).body.lines().count();
        match changed {
            None => {
                assert_eq!(found.expect("counted").ballots, 49);
                assert_eq!(cells(&page), before);
                assert_eq!(lines, 5);
            }
            Some(_) => {
                assert_eq!(found.expect_err("withheld"), NotCounted::Withheld);
                let page = page.says("can no longer be compared");
                assert_eq!(cells(&page), Vec::<String>::new());
                weigh(&editor, "").await.says("can no longer be weighted");
                assert_eq!(lines, 1);
            }
        }
    }
}

async fn seal(app: &TestApp) {
    let now = app.app.clock.now();
    let txn = app.app.db.write_txn("test").await.unwrap();
    let sql = "UPDATE poll SET state = 2, closed_ms = $1";
    canvass::db::run(&*txn, sql, [now.into()]).await.unwrap();
    txn.commit().await.unwrap();
    let sealed = seal_due(&app.app.db, now, 0).await.unwrap();
    assert_eq!(sealed.polls.len(), 1);
}

/// A poll on a topic of the day gets as many texts as readers who choose "Other".
#[tokio::test]
async fn polls_readers_own_words_do_not_hide_the_tables() {
    let app = TestApp::start().await;
    town_poll(&app).await;
    answer(&app, 12, "1", "4").await;
    answer(&app, 12, "2", "5").await;
    let (key, words) = match app.app.db.backend() {
        Backend::Sqlite => ("randomblob(16)", "CAST(CAST(n AS TEXT) AS BLOB)"),
        Backend::Postgres => ("decode(md5(n::text), 'hex')", "convert_to(n::text, 'UTF8')"),
    };
    let zero = match app.app.db.backend() {
        Backend::Sqlite => "X'00'",
        Backend::Postgres => "'\\x00'::bytea",
    };
    let both = match app.app.db.backend() {
        Backend::Sqlite => format!("CAST(choices || {zero} || {words} AS BLOB)"),
        Backend::Postgres => format!("choices || {zero} || {words}"),
    };
    let sql = format!(
        "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 20001) \
         INSERT INTO ballot (poll_id, voter_key, choices, tier, source, cast_ms, changed_ms) \
         SELECT poll_id, {key}, {both}, 0, 0, cast_ms, changed_ms FROM number, \
         (SELECT * FROM ballot ORDER BY choices LIMIT 1) AS one"
    );
    let txn = app.app.db.write_txn("test").await.unwrap();
    canvass::db::run(&*txn, sql, []).await.unwrap();
    txn.commit().await.unwrap();
    let poll = canvass::polls::by_slug(&app.app.db, "trust").await.unwrap();
    let (answers, now) = (Answers::default(), app.app.clock.now());
    let found = answers.of(&app.app.db, &poll.unwrap(), 20_025, now).await;
    let counted = found.unwrap().expect("counted");
    assert_eq!((counted.ballots, counted.alike.len()), (20_025, 2));
}
