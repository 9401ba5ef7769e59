//! Durable answers per second, as a share of what an empty axum handler answers in the same run.
//!
//!     cargo bench --bench votes
//!
//! At 64 and 256 kept-alive connections, three times in turn, medians: `POST /nothing` on a bare axum router (the limit),
//! then `POST /p/trust` on the whole of Canvass, a new voter each time, SQLite with `synchronous=FULL`. Every
//! 303 must be a ballot in the tally afterwards. The load comes from this process, so both share the same cores.
//! Fails when a vote is missing.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::post;
use canvass::app::{App, Role};
use canvass::polls::{self, Definition, PollState, QuestionText, Tier, Visibility};
use canvass::types::{Clock, Random};
use canvass::{config, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const RUNS: usize = 3;
const LASTS: Duration = Duration::from_secs(4);

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let lost = runtime.block_on(measure());
    std::process::exit(i32::from(lost != 0));
}

async fn measure() -> i64 {
    let dir = tempfile::tempdir().unwrap();
    let app = canvass(dir.path()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let whole = serve::start(app.clone(), listener).unwrap();
    let empty = nothing().await;
    let mut counted = 0;
    for connections in [64, 256] {
        let (mut limit, mut ours, mut waits) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..RUNS {
            limit.push(load(empty, "/nothing", connections, b"200").await.rate);
            let run = load(whole.address, "/p/trust", connections, b"303").await;
            counted += i64::try_from(run.answers).unwrap();
            ours.push(run.rate);
            waits.push(run.slow_ms);
        }
        let (limit, ours) = (median(&mut limit), median(&mut ours));
        println!(
            "{connections} connections: empty handler {limit:.0}/s, durable answers {ours:.0}/s ({:.0} %), p99 {:.1} ms",
            ours * 100.0 / limit,
            median(&mut waits)
        );
    }
    let poll = polls::by_slug(&app.db, "trust").await.unwrap().unwrap();
    let tallied = polls::results::totals(&app.db, &poll)
        .await
        .unwrap()
        .voters(Tier::Anonymous);
    let wrong = polls::ballots::audit(&app.db, &poll).await.unwrap().len();
    println!(
        "{counted} answered with 303, {tallied} in the tally, {wrong} differences to the ballots"
    );
    whole.stop().await;
    (counted - tallied).abs() + i64::try_from(wrong).unwrap()
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

async fn nothing() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router: Router = Router::new().route("/nothing", post(|| async {}));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

async fn canvass(dir: &std::path::Path) -> App {
    let settings = [
        ("CANVASS_DATA_DIR", dir.display().to_string()),
        (
            "CANVASS_SECRET_KEY",
            "a secret key of at least 32 characters".to_owned(),
        ),
        ("CANVASS_MAIL__TRANSPORT", "mailbox".to_owned()),
        ("CANVASS_MAIL__ALLOW_CAPTURE", "true".to_owned()),
    ];
    let config = config::load(None, &settings.map(|(k, v)| (k.to_owned(), v))).unwrap();
    let app = App::build(config, Role::Server, Clock::System, Random::System)
        .await
        .unwrap();
    let mut definition = Definition {
        slug: "trust".to_owned(),
        title: String::new(),
        intro: String::new(),
        visibility: Visibility::Always,
        headline_tier: Tier::Anonymous,
        newsletter: None,
        opens_at: None,
        closes_at: None,
        time_zone: "UTC".to_owned(),
        questions: vec![QuestionText {
            text: "Do you trust the mainstream media?".to_owned(),
            options: vec!["Yes".into(), "No".into()],
            ..QuestionText::default()
        }],
    };
    assert!(definition.check().is_empty());
    let txn = app.db.write_txn("bench").await.unwrap();
    polls::create(
        &txn,
        &app.random,
        app.clock.now(),
        &definition,
        PollState::Published,
    )
    .await
    .unwrap();
    txn.commit().await.unwrap();
    app
}

/// What a run reached.
struct Run {
    answers: u64,
    rate: f64,
    /// 99 of 100 answers took no longer, in milliseconds.
    slow_ms: f64,
}

/// Keeps `connections` busy for [`LASTS`]; every answer must have the status.
async fn load(
    to: SocketAddr,
    path: &'static str,
    connections: usize,
    status: &'static [u8],
) -> Run {
    let answers = Arc::new(AtomicU64::new(0));
    let started = Instant::now();
    let clients: Vec<_> = (0..connections)
        .map(|n| {
            tokio::spawn(client(
                to,
                path,
                status,
                n % 2 + 1,
                started,
                answers.clone(),
            ))
        })
        .collect();
    let mut waits = Vec::new();
    for client in clients {
        waits.extend(client.await.unwrap());
    }
    let took = started.elapsed().as_secs_f64();
    waits.sort_by(f64::total_cmp);
    let answers = answers.load(Ordering::Relaxed);
    Run {
        answers,
        rate: answers as f64 / took,
        slow_ms: waits[waits.len() * 99 / 100] * 1_000.0,
    }
}

async fn client(
    to: SocketAddr,
    path: &str,
    status: &[u8],
    option: usize,
    started: Instant,
    answers: Arc<AtomicU64>,
) -> Vec<f64> {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {to}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: 8\r\n\r\noption={option}"
    );
    let mut buffer = vec![0; 8_192];
    let mut waits = Vec::new();
    while started.elapsed() < LASTS {
        let sent = Instant::now();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut got = 0;
        // Both answers have no body: the head is all of it.
        while !buffer[..got].ends_with(b"\r\n\r\n") {
            let n = stream.read(&mut buffer[got..]).await.unwrap();
            assert!(n > 0, "the server hung up");
            got += n;
        }
        assert_eq!(
            &buffer[9..12],
            status,
            "{}",
            String::from_utf8_lossy(&buffer[..got])
        );
        answers.fetch_add(1, Ordering::Relaxed);
        waits.push(sent.elapsed().as_secs_f64());
    }
    waits
}
