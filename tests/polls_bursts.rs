//! Bursts and editors' decisions about them, with several nodes and a failing database; and crowds that must
//! not be taken for bursts.

use std::time::Duration;

use canvass::polls::{Definition, Tier, watch_tick};
use canvass::types::Random;
use http::HeaderMap;

use crate::polls_stuffing::{Drill, hand};
use crate::support::app::TestApp;
use crate::support::crowd::{Visitor, forgetful, headers, people, run, send, ticks};

const ASIDE: &str = "SELECT COUNT(*) FROM ballot WHERE removed IS NOT NULL";
/// Removals that the pages would show as an editor's, because they belong to no burst.
const LOOSE: &str = "SELECT COUNT(*) FROM ballot_removal WHERE number NOT IN (SELECT number FROM poll_burst_removal)";

/// An editor decides on another node that it is a crowd: the watching node learns of it, and sets nothing more aside.
#[tokio::test(flavor = "multi_thread")]
async fn polls_what_an_editor_counts_on_one_node_the_others_count() {
    let drill = Drill::begin(21).await;
    let app = &drill.app;
    run(app, &hand(&Random::seeded(6), 2, true)).await;
    assert_eq!(app.count(ASIDE).await, 64);
    let txn = app.app.db.write_txn("test").await.unwrap();
    canvass::db::run(&*txn, "UPDATE poll_burst SET state = 2", [])
        .await
        .unwrap();
    txn.commit().await.unwrap();
    run(app, &hand(&Random::seeded(8), 1, true)).await;
    assert_eq!(app.count(ASIDE).await, 64);
    assert_eq!(drill.voters(Tier::Anonymous).await, 550 + 32);
    assert_eq!(app.count("SELECT COUNT(*) FROM poll_burst").await, 1);
}

/// Ballots are set aside in the same commit that assigns them to their burst, since editors decide about them
/// on the page about bursts.
#[tokio::test(flavor = "multi_thread")]
async fn polls_no_ballot_is_set_aside_without_its_burst() {
    let drill = Drill::begin(22).await;
    let app = &drill.app;
    let script = hand(&Random::seeded(9), 1, false);
    run(app, &script).await;
    let before = app.count(ASIDE).await;
    assert_eq!(before, 32);
    let rename = async |from: &str, to: &str| {
        let txn = app.app.db.write_txn("test").await.unwrap();
        let sql = format!("ALTER TABLE {from} RENAME TO {to}");
        canvass::db::run(&*txn, &sql, []).await.unwrap();
        txn.commit().await.unwrap();
    };
    let client = forgetful();
    // Before they answer, because the watch looks in the background, too.
    rename("poll_burst_removal", "elsewhere").await;
    for _ in 0..5 {
        app.advance(Duration::from_secs(2));
        send(&client, app, headers(&script[0]), &[("option", "1".into())]).await;
    }
    app.advance(Duration::from_secs(20));
    // This fails, here or in the background, and the ballots wait.
    let _ = watch_tick(&app.app).await;
    assert_eq!(app.count(ASIDE).await, before);
    rename("elsewhere", "poll_burst_removal").await;
    app.advance(Duration::from_secs(20));
    let _ = watch_tick(&app.app).await;
    app.wait_until(ASIDE, before + 5).await;
    assert_eq!(app.count(LOOSE).await, 0);
}

/// 40 readers with JavaScript who say No, and then 60 who say Yes, enough to be set aside if they came like a program:
/// each from a different network, with the newest version of the same browser. `look`, `origin` and `place` determine
/// how they come. Returns how many ballots are set aside.
async fn crowd(
    app: &TestApp,
    pause: Duration,
    look: Option<&str>,
    origin: &str,
    place: &str,
) -> i64 {
    let mut others = people(
        &Random::seeded(10),
        40,
        5,
        |i| format!("198.51.{i}.7"),
        |_| 2,
    );
    if app.app.config.polls.proof_work == 0 {
        // There is no puzzle to fetch.
        others.iter_mut().for_each(|other| other.touches = None);
    }
    run(app, &others).await;
    let client = forgetful();
    for i in 0..60 {
        let visitor = Visitor {
            opens: None,
            touches: None,
            sends: 0,
            address: format!("10.7.{i}.9"),
            agent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0.0.0".into(),
            says: ticks(&[1]),
            marker: String::new(),
            origin: "",
        };
        let said: HeaderMap = headers(&visitor);
        if let Some(look) = look {
            let page = client.get(app.url(look)).headers(said.clone()).send().await;
            assert_eq!(page.unwrap().status(), 200);
        }
        let mut said = said;
        if !origin.is_empty() {
            said.insert("origin", origin.parse().unwrap());
        }
        let form = [("option", "1".to_owned()), ("place", place.to_owned())];
        send(&client, app, said, &form).await;
        // At uneven intervals, like people.
        app.advance(pause * [1, 3, 0, 2, 1, 0, 1][i % 7] * 7 / 8);
        watch_tick(&app.app).await.unwrap();
    }
    app.advance(Duration::from_secs(20));
    watch_tick(&app.app).await.unwrap();
    app.count(ASIDE).await
}

async fn app_with(proof_work: u64) -> TestApp {
    let app = TestApp::start_with(|config| {
        config.http.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
        config.http.embed_origins = vec!["https://news.example".to_owned()];
        config.polls.proof_work = proof_work;
    })
    .await;
    app.poll_with("trust", |_: &mut Definition| {}).await;
    app
}

/// If another site's page shows the form, we cannot see that it was opened; if one of ours does, we can.
#[tokio::test(flavor = "multi_thread")]
async fn polls_readers_without_scripts_are_no_burst_because_of_where_the_form_stands() {
    let pause = Duration::from_millis(1_400);
    for (look, origin, place, aside) in [
        (None, "https://news.example", "embed", 0),
        (Some("/articles/trust"), "", "article", 0),
        (Some("/embed/p/trust"), "", "embed", 0),
        (Some("/p/trust"), "", "", 0),
        // The same, but nobody opened anything: that is a program.
        (None, "", "", 60),
    ] {
        let app = app_with(40).await;
        let found = crowd(&app, pause, look, origin, place).await;
        assert_eq!(found, aside, "{look:?} {origin} {place}");
    }
}

/// If no proof of work is asked for, none is left out, however many come at once.
#[tokio::test(flavor = "multi_thread")]
async fn polls_readers_are_not_blamed_for_work_that_nobody_asked_for() {
    let pause = Duration::from_millis(400);
    for (work, aside) in [(0, 0), (40, 60)] {
        let app = app_with(work).await;
        let found = crowd(&app, pause, Some("/p/trust"), "", "").await;
        assert_eq!(found, aside, "{work}");
    }
}
