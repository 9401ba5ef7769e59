//! Live results: no more often than readers can follow, and at no cost if nobody watches.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use canvass::db::group_commit::Bounds;
use canvass::polls::ballots::{Answer, Slip};
use canvass::polls::{Station, Visibility};
use canvass::types::Random;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::polls_ballot_box::{Box, opened};
use crate::support::app::TestApp;
use crate::support::crowd::forgetful;
use crate::support::wait;

const PATIENCE: Duration = Duration::from_secs(20);
const VOTES: usize = 20;

/// Reads events until one contains `what`; returns how many there were.
async fn events_until(live: &mut reqwest::Response, what: &str) -> usize {
    let mut seen = String::new();
    while !seen.contains(what) {
        let chunk = timeout(PATIENCE, live.chunk()).await;
        let chunk = chunk.unwrap_or_else(|_| panic!("{what} does not come: {seen}"));
        seen.push_str(&String::from_utf8_lossy(&chunk.unwrap().unwrap()));
    }
    seen.matches("data: ").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_a_viewer_is_told_four_times_a_second_at_most() {
    let app = TestApp::start().await;
    app.poll("trust").await;
    let client = forgetful();
    let mut live = client.get(app.url("/p/trust/live")).send().await.unwrap();
    assert_eq!(events_until(&mut live, "\"voters\":0").await, 1);
    let begun = Instant::now();
    // One every 50 ms, without waiting for the responses.
    for n in 0..VOTES {
        let form = [("option", "1".to_owned()), ("marker", format!("{n:022}"))];
        let post = client.post(app.url("/p/trust")).form(&form);
        tokio::spawn(async move {
            sleep(Duration::from_millis(50) * n as u32).await;
            assert_eq!(post.send().await.unwrap().status(), 303);
        });
    }
    let events = events_until(&mut live, &format!("\"voters\":{VOTES}")).await;
    // The last votes of a second are sent a quarter of a second later.
    let most = 1 + (begun.elapsed().as_secs_f64() * 4.0) as usize;
    println!("{VOTES} votes, {events} events in {:?}", begun.elapsed());
    assert!(events <= most, "{events} events where {most} are allowed");
    assert!(events > 1, "it moves while they come");
}

#[tokio::test(flavor = "multi_thread")]
async fn polls_one_network_has_a_number_of_viewers_and_any_number_of_votes() {
    let app = TestApp::start_with(|config| {
        config.limits.viewers_per_network = 2;
        config.http.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    app.poll("trust").await;
    let client = forgetful();
    let opened = async |from: &str| {
        let asking = client.get(app.url("/p/trust/live"));
        asking.header("x-forwarded-for", from).send().await.unwrap()
    };
    let mut first = opened("198.51.100.7").await;
    let mut second = opened("198.51.100.8").await;
    for stream in [&mut first, &mut second] {
        events_until(stream, "\"voters\":0").await;
    }
    let refused = opened("198.51.100.9").await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "60");
    let mut elsewhere = opened("203.0.113.7").await;
    events_until(&mut elsewhere, "\"voters\":0").await;
    let form = [("option", "1"), ("marker", "0000000000000000000001")];
    let post = client.post(app.url("/p/trust")).form(&form);
    let vote = post.header("x-forwarded-for", "198.51.100.9").send().await;
    assert_eq!(vote.unwrap().status(), 303);
    events_until(&mut second, "\"voters\":1").await;
    // A viewer who leaves is noticed by the connection.
    drop(first);
    wait::until("the place is free", async || {
        opened("198.51.100.9").await.status() == 200
    })
    .await;
}

/// On another site's page no cookie says who answered: the ticket does that comes with the result.
#[tokio::test(flavor = "multi_thread")]
async fn polls_who_answered_elsewhere_follows_with_a_ticket() {
    let app = TestApp::start().await;
    for slug in ["trust", "other"] {
        app.poll_with(slug, |poll| poll.visibility = Visibility::AfterVoting)
            .await;
    }
    let client = forgetful();
    let opened = async |path: &str| {
        let answer = client.get(app.url(path)).send().await.unwrap();
        (answer.status().as_u16(), answer)
    };
    assert_eq!(opened("/p/trust/live").await.0, 404);
    let reader = app.reader().with_header("accept", "application/json");
    let said = reader
        .post("/p/trust", &[("option", "1")])
        .await
        .expect(200);
    let said: serde_json::Value = serde_json::from_str(&said.body).unwrap();
    let live = said["live"].as_str().unwrap();
    let (status, mut stream) = opened(&format!("/p/trust{live}")).await;
    assert_eq!(status, 200, "{live}");
    events_until(&mut stream, "\"voters\":1").await;
    assert_eq!(opened(&format!("/p/other{live}")).await.0, 404);
    assert_eq!(opened(&format!("/p/trust{live}x")).await.0, 404);
    app.advance(Duration::from_secs(24 * 60 * 60));
    assert_eq!(opened(&format!("/p/trust{live}")).await.0, 404);
}

/// Counts the queries to the pool of readers; votes are written through another. It sees only this thread.
struct Readings(Arc<AtomicUsize>);

impl Subscriber for Readings {
    fn enabled(&self, at: &Metadata<'_>) -> bool {
        at.target() == "sea_orm::database::db_connection" && at.name().starts_with("query_")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        self.0.fetch_add(1, SeqCst);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Votes for two seconds; returns how often the database was read meanwhile.
async fn readings_while_they_vote(
    votes: &Box,
    station: &Station,
    readings: &AtomicUsize,
    first: usize,
) -> usize {
    let before = readings.load(SeqCst);
    for who in first..first + VOTES {
        // The short way of new voters is a query on PostgreSQL, which would be counted.
        let slip = Slip::from(Answer {
            is_new: false,
            ..votes.answer(who, &["1"])
        });
        station.queue.submit(slip).await.unwrap();
        sleep(Duration::from_millis(100)).await;
    }
    readings.load(SeqCst) - before
}

/// On a single thread, so that every read is seen.
#[tokio::test]
async fn polls_nothing_is_read_for_a_poll_that_nobody_watches() {
    let readings = Arc::new(AtomicUsize::new(0));
    // Two subscribers, of which one is used: with only one in the process, the first thread to reach a call site
    // decides for all threads whether anybody is interested in it.
    let [counts, _other] = [(); 2].map(|()| tracing::Dispatch::new(Readings(readings.clone())));
    let _counted = tracing::dispatcher::set_default(&counts);
    let votes = opened(&["yes", "no"], 1, None).await;
    let stopping = CancellationToken::new();
    let (random, bounds) = (Random::seeded(1), Bounds::default());
    let station = Station::open(
        &votes.db,
        &votes.clock,
        &random,
        vec![0],
        4_096,
        bounds,
        &stopping,
    );
    let during = async |first| readings_while_they_vote(&votes, &station, &readings, first).await;
    assert_eq!(during(0).await, 0, "nobody has ever watched");

    let mut viewer = station.live.watch(&votes.poll);
    assert!(during(100).await > 0, "somebody watches");
    let latest = viewer.borrow_and_update().clone().expect("an event");
    assert!(String::from_utf8_lossy(&latest).contains("\"voters\":"));

    // The last viewer leaves. A read in progress may still finish.
    drop(viewer);
    let until = Instant::now() + PATIENCE;
    let mut rounds = 3;
    while during(rounds * 100).await > 0 {
        assert!(Instant::now() < until, "it is read for nobody");
        rounds += 1;
    }
    stopping.cancel();
    // With or without viewers, every vote is counted.
    assert_eq!(votes.counts().await[0], (rounds * VOTES) as i64);
}
