//! More answers than can wait: some are rejected at once and told to retry, and what every client is told is true.

use std::collections::BTreeMap;
use std::time::Duration;

use canvass::db::fetch_all;
use canvass::db::group_commit::Bounds;
use canvass::polls::{Voter, by_slug};
use canvass::web::connections::QUIET;
use reqwest::Client;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use crate::server_quiet::hold_up;
use crate::support::app::TestApp;
use crate::support::crowd::forgetful;

/// The capacity of the queue.
const ROOM: usize = 8;
/// The number of answers sent at once.
const CROWD: usize = 120;
/// The answers that are waiting, and those that were waiting when the writers took the first ones.
const LET_IN: usize = 2 * ROOM;
/// How long a waiting request is given here: long, so that even a busy machine refuses the others well before.
const PATIENCE: Duration = Duration::from_secs(25);
const AT_ONCE: Duration = Duration::from_secs(20);

/// The response to the answer of one browser.
#[derive(Debug)]
struct Told {
    who: usize,
    status: u16,
    retry_after: Option<String>,
    kind: String,
    body: String,
}

fn marker(who: usize) -> String {
    format!("{who:022}")
}

/// Every other answer is sent by a script, which gets JSON.
fn by_script(who: usize) -> bool {
    who % 2 == 1
}

async fn vote(client: &Client, url: String, who: usize) -> Told {
    let form = [("option", "1".to_owned()), ("marker", marker(who))];
    let accept = if by_script(who) {
        "application/json"
    } else {
        "text/html"
    };
    let request = client.post(url).header("accept", accept).form(&form);
    let answer = request.send().await.unwrap();
    let header = |name: &str| {
        let value = answer.headers().get(name)?;
        Some(value.to_str().unwrap().to_owned())
    };
    let (retry_after, kind) = (header("retry-after"), header("content-type"));
    Told {
        who,
        status: answer.status().as_u16(),
        retry_after,
        kind: kind.unwrap_or_default(),
        body: answer.text().await.unwrap(),
    }
}

/// The browsers that have a ballot in the box.
async fn in_the_box(app: &TestApp) -> Vec<usize> {
    let poll = by_slug(&app.app.db, "trust").await.unwrap().unwrap();
    let keys: BTreeMap<Vec<u8>, usize> = (0..CROWD)
        .map(|who| (Voter::Browser(marker(who)).key(&poll).to_vec(), who))
        .collect();
    let rows = fetch_all(app.app.db.read(), "SELECT voter_key FROM ballot", []);
    let rows = rows.await.unwrap();
    let key = |row: &sea_orm::QueryResult| row.try_get::<Vec<u8>>("", "voter_key").unwrap();
    let mut found: Vec<usize> = rows.iter().map(|row| keys[&key(row)]).collect();
    found.sort_unstable();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_a_full_queue_says_so_at_once_and_loses_nothing() {
    let bounds = Bounds {
        patience: PATIENCE,
        longest_write: PATIENCE,
    };
    let app = TestApp::start_within(|config| config.polls.queue = ROOM, bounds, QUIET).await;
    app.poll("trust").await;
    let client = forgetful();
    let full = "canvass_writes_refused_total{queue=\"ballots\",why=\"full\"}";
    let before = app.number(full).await;
    let held = hold_up(&app).await;
    let (tell, mut told) = mpsc::unbounded_channel();
    for who in 0..CROWD {
        let (client, url, tell) = (client.clone(), app.url("/p/trust"), tell.clone());
        tokio::spawn(async move { tell.send(vote(&client, url, who).await) });
    }
    drop(tell);
    // Nothing can be written meanwhile, so an answer that is refused now was not made to wait for it.
    let until = Instant::now() + AT_ONCE;
    let mut refused = Vec::new();
    while refused.len() < CROWD - LET_IN {
        let next = timeout_at(until, told.recv()).await;
        refused.push(
            next.expect("those who find no room are told at once")
                .unwrap(),
        );
    }
    let counted_as_full = app.number(full).await - before;
    assert!(counted_as_full >= refused.len() as u64, "{counted_as_full}");
    drop(held);
    let mut counted = Vec::new();
    while let Some(next) = told.recv().await {
        match next.status {
            503 => refused.push(next),
            _ => counted.push(next),
        }
    }
    for told in &refused {
        assert_eq!(told.status, 503, "{told:?}");
        let wait: u32 = told.retry_after.as_ref().unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{told:?}");
        if by_script(told.who) {
            let said: serde_json::Value = serde_json::from_str(&told.body).unwrap();
            assert_eq!(told.kind, "application/problem+json");
            assert_eq!(said["status"], 503, "{said}");
        } else {
            assert!(told.kind.starts_with("text/html"), "{told:?}");
        }
    }
    for told in &counted {
        let status = if by_script(told.who) { 200 } else { 303 };
        assert_eq!(told.status, status, "{told:?}");
    }
    let mut promised: Vec<usize> = counted.iter().map(|told| told.who).collect();
    promised.sort_unstable();
    assert!(promised.len() >= ROOM, "{promised:?}");
    assert_eq!(in_the_box(&app).await, promised);
    let voters = "SELECT CAST(SUM(n) AS BIGINT) FROM tally WHERE option_id = 0";
    assert_eq!(app.count(voters).await, promised.len() as i64);
    app.assert_the_count_agrees("trust").await;

    // A client that retries as told is counted.
    for told in &refused {
        let again = vote(&client, app.url("/p/trust"), told.who).await;
        assert!(again.status < 400, "{again:?}");
    }
    assert_eq!(in_the_box(&app).await.len(), CROWD);
    assert_eq!(app.count(voters).await, CROWD as i64);
    app.assert_the_count_agrees("trust").await;
}
