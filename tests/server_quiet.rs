//! Slow clients and a slow database: idle connections are closed, and no vote is lost by that.

use std::time::Duration;

use canvass::config::Config;
use canvass::db::group_commit::Bounds;
use canvass::db::{WriteTxn, run};
use sea_orm::{ConnectionTrait as _, Database};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::support::app::TestApp;
use crate::support::database::sqlite_needed;
use crate::support::wait::Waiting;

/// The idle time-out, which is 75 s in production.
const QUIET: Duration = Duration::from_millis(400);
const PATIENCE: Duration = Duration::from_secs(20);

async fn app() -> TestApp {
    within(Bounds::default()).await
}

async fn within(bounds: Bounds) -> TestApp {
    let app = TestApp::start_within(|_| {}, bounds, QUIET).await;
    app.poll("trust").await;
    app
}

/// A vote from a new browser, as the head and the body of a request.
fn vote(option: u8, n: usize) -> (String, String) {
    let body = format!("option={option}&marker={n:022}");
    let head = format!(
        "POST /p/trust HTTP/1.1\r\nHost: news.example.org\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    (head, body)
}

/// Reads to the end of the connection; panics if it stays open.
async fn rest(stream: &mut TcpStream) -> String {
    let mut seen = Vec::new();
    // A reset counts as an end.
    let read = timeout(PATIENCE, stream.read_to_end(&mut seen)).await;
    assert!(read.is_ok(), "the connection is kept");
    String::from_utf8_lossy(&seen).into_owned()
}

async fn voters(app: &TestApp) -> i64 {
    let sql = "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM tally WHERE option_id = 0";
    app.count(sql).await
}

#[tokio::test]
async fn who_says_nothing_is_closed_and_who_says_half_a_vote_as_well() {
    let short = |config: &mut Config| config.http.timeout_seconds = 1;
    let app = TestApp::start_within(short, Bounds::default(), QUIET).await;
    app.poll("trust").await;
    let (head, body) = vote(1, 1);
    let late = "canvass_requests_late_total";
    let before = app.number(late).await;
    let begun = Instant::now();
    for said in [
        String::new(),
        "GET / HT".to_owned(),
        head[..head.len() - 2].to_owned(),
        format!("{head}{}", &body[..5]),
    ] {
        let mut stream = TcpStream::connect(app.address).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        // A client that has begun to send an answer gets a 503, like any whose request takes too long.
        let told = answer.starts_with("HTTP/1.1 503");
        assert_eq!(told, said.ends_with(&body[..5]), "{answer}");
    }
    // No connection was closed too early.
    assert!(begun.elapsed() >= 4 * QUIET);
    assert!(app.number(late).await > before);
    assert_eq!(voters(&app).await, 0);
}

#[tokio::test]
async fn a_connection_that_was_answered_is_kept_for_a_while_and_then_closed() {
    let app = app().await;
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    // Well below the time-out: a short stall of a busy machine must not look like a closed connection.
    for n in 0..10 {
        let (head, body) = vote(1, n);
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(body.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.expect("it is kept"));
        }
        assert!(answer.starts_with(b"HTTP/1.1 303"));
        sleep(QUIET / 4).await;
    }
    rest(&mut stream).await;
    assert_eq!(voters(&app).await, 10);
}

#[tokio::test]
async fn a_vote_that_comes_letter_by_letter_is_counted() {
    let app = app().await;
    let (head, body) = vote(2, 1);
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let begun = Instant::now();
    for letters in body.as_bytes().chunks(2) {
        sleep(QUIET / 4).await;
        stream.write_all(letters).await.unwrap();
    }
    assert!(begun.elapsed() > 3 * QUIET);
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    assert_eq!(voters(&app).await, 1);
}

/// Votes, then requests more than any socket buffer holds, and reads nothing of it.
#[tokio::test]
async fn who_never_reads_is_closed_and_the_vote_stands() {
    const SHEETS: usize = 1_000;
    let app = app().await;
    let page = app.reader().get("/p/trust").await.expect(200);
    let sheet = page.attributes("link[rel=stylesheet]", "href").remove(0);
    let sheet = format!("GET {sheet} HTTP/1.1\r\nHost: news.example.org\r\n\r\n");
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let stream = socket.connect(app.address).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    let (head, body) = vote(1, 1);
    let asked = tokio::spawn(async move {
        to.write_all(head.as_bytes()).await.unwrap();
        to.write_all(body.as_bytes()).await.unwrap();
        for _ in 0..SHEETS {
            // The write fails once the connection is closed.
            if to.write_all(sheet.as_bytes()).await.is_err() {
                return;
            }
        }
        // Open until the server ends it.
        std::future::pending::<()>().await;
    });
    app.wait_until(
        "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM tally WHERE option_id = 0",
        1,
    )
    .await;
    // The server has to look three times, and may hang meanwhile.
    sleep(12 * QUIET).await;
    let mut seen = Vec::new();
    let read = timeout(PATIENCE, from.read_to_end(&mut seen)).await;
    assert!(read.is_ok(), "the connection is kept");
    let answers = String::from_utf8_lossy(&seen)
        .matches("HTTP/1.1 200")
        .count();
    assert!(answers < SHEETS, "all of it was taken");
    asked.abort();
    assert_eq!(voters(&app).await, 1);
    app.assert_the_count_agrees("trust").await;
    // The stop does not wait for such a client, either.
    let begun = Instant::now();
    app.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(5));
}

/// Blocks all writes until it is dropped.
pub async fn hold_up(app: &TestApp) -> WriteTxn {
    let txn = app.app.db.write_txn("test").await.unwrap();
    if !sqlite_needed() {
        run(&*txn, "LOCK TABLE ballot IN ACCESS EXCLUSIVE MODE", [])
            .await
            .unwrap();
    }
    txn
}

#[tokio::test]
async fn a_connection_is_kept_while_its_vote_waits_for_the_database() {
    let app = app().await;
    let txn = hold_up(&app).await;
    let (head, body) = vote(1, 1);
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let request = format!("{head}{body}");
    stream.write_all(request.as_bytes()).await.unwrap();
    sleep(3 * QUIET).await;
    drop(txn);
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    assert_eq!(voters(&app).await, 1);
}

#[tokio::test]
async fn a_vote_that_hangs_in_the_database_may_count_and_counts_once() {
    let app = within(Bounds {
        longest_write: Duration::from_millis(300),
        ..Bounds::default()
    })
    .await;
    let reader = app.reader();
    // A page that was open before the trouble began.
    let page = reader.get("/p/trust").await.expect(200);
    let form = || page.form("form[action='/p/trust']").choose("option", "2");
    let unknown = "canvass_writes_refused_total{queue=\"ballots\",why=\"unknown\"}";
    let before = app.number(unknown).await;
    let txn = hold_up(&app).await;
    let late = reader.submit(form()).await.expect(503);
    assert!(app.number(unknown).await > before);
    assert_eq!(late.headers["retry-after"], "10");
    let late = late.says("What you sent may or may not have been saved");
    assert!(
        late.headers.contains_key("set-cookie"),
        "the same voter next time"
    );
    drop(txn);
    let sql = "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM tally WHERE option_id = 0";
    app.wait_until(sql, 1).await;
    // A reader who comes back, as the page says, is the same voter. On a slow disk it is too late once more.
    let waiting = Waiting::until("the answer is counted");
    let counted = loop {
        let page = reader.submit(form()).await;
        if page.status.as_u16() != 503 {
            break page.expect(200);
        }
        waiting.still(page.status).await;
    };
    counted.says("Your answer has been counted");
    assert_eq!(voters(&app).await, 1);
    let txn = hold_up(&app).await;
    // A script gets this as JSON.
    let script = app.reader().with_header("accept", "application/json");
    let fields = [("option", "2"), ("marker", "0000000000000000000001")];
    let told = script.post("/p/trust", &fields).await.expect(503);
    assert_eq!(told.headers["retry-after"], "10");
    let told: serde_json::Value = serde_json::from_str(&told.body).unwrap();
    assert_eq!(told["type"], "canvass:late");
    drop(txn);
    app.wait_until(sql, 2).await;
    app.assert_the_count_agrees("trust").await;
}

#[tokio::test]
async fn votes_that_waited_too_long_for_a_slow_database_are_counted_as_refused() {
    let app = within(Bounds {
        patience: Duration::from_millis(300),
        longest_write: Duration::from_millis(300),
    })
    .await;
    let slow = "canvass_writes_refused_total{queue=\"ballots\",why=\"slow\"}";
    let before = app.number(slow).await;
    let _held = hold_up(&app).await;
    let script = app.reader().with_header("accept", "application/json");
    // Those of the group that is being written get another answer; with two writers, of two groups.
    for n in 0..6 {
        let marker = format!("{n:022}");
        let fields = [("option", "1"), ("marker", marker.as_str())];
        let told = script.post("/p/trust", &fields).await.expect(503);
        if told.body.contains("canvass:busy") {
            assert!(app.number(slow).await > before);
            return;
        }
    }
    panic!("none of them waited");
}

/// Somebody's shell locks the file: readers who vote meanwhile are told to come back.
#[tokio::test(flavor = "multi_thread")]
async fn votes_beside_a_program_that_locks_the_database_are_told_to_come_again() {
    let app = app().await;
    if !sqlite_needed() {
        return;
    }
    let file = app.database.dir.path().join("canvass.db");
    let other = format!("sqlite://{}", file.display());
    let other = Database::connect(other).await.unwrap();
    other.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    let votes = (0..3).map(|n| {
        let reader = app.reader();
        let marker = format!("{n:022}");
        async move {
            reader
                .post("/p/trust", &[("option", "1"), ("marker", &marker)])
                .await
        }
    });
    for told in futures::future::join_all(votes).await {
        let told = told.expect(503);
        assert!(told.headers.contains_key("retry-after"));
    }
    other.execute_unprepared("ROLLBACK").await.unwrap();
    assert_eq!(voters(&app).await, 0, "what is told so is not written");
    let fields = [("option", "1"), ("marker", "0000000000000000000000")];
    app.reader().post("/p/trust", &fields).await.expect(200);
    assert_eq!(voters(&app).await, 1);
}
