//! The cost of ten thousand readers who only watch a poll's results.
//!
//!     cargo bench --bench viewers
//!
//! The real program with a poll, and 10,000 connections to its live results, opened by this process. Measured on
//! the server: memory before, with all of them idle, and after votes came in; and for each viewer, how many updates
//! it got and how soon. Fails if they cost more than 100 MB, if a viewer got more than four updates a second, or if
//! one missed the last count. Needs about 14,000 open files in each of the two processes: viewers get three of four.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement")]

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const BINARY: &str = env!("CARGO_BIN_EXE_canvass");
const VIEWERS: usize = 10_000;
/// How many connections are opened at the same time: a listener's backlog is short.
const AT_ONCE: usize = 100;
const LIMIT_MB: f64 = 100.0;
/// The number of votes, one after the other, and the pause between two.
const VOTES: i64 = 40;
const PAUSE: Duration = Duration::from_millis(100);
/// The time within which every viewer must have the count after the last vote.
const SOON: Duration = Duration::from_secs(10);

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let good = runtime.block_on(measure());
    std::process::exit(i32::from(!good));
}

async fn measure() -> bool {
    let dir = tempfile::tempdir().unwrap();
    let token = token(dir.path());
    let server = Server::start(dir.path());
    server.ready().await;
    let poll = r#"{"slug":"trust","question":"Do you trust the mainstream media?","options":["Yes","No"]}"#;
    let made = server
        .post(
            "/api/v1/polls",
            &format!("Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"),
            poll,
        )
        .await;
    assert!(made.starts_with("HTTP/1.1 201"), "{made}");
    server.vote().await;

    let before = server.memory_mb();
    let mut viewers = Vec::with_capacity(VIEWERS);
    while viewers.len() < VIEWERS {
        let mut opening = JoinSet::new();
        for _ in 0..AT_ONCE.min(VIEWERS - viewers.len()) {
            opening.spawn(Viewer::open(server.address));
        }
        while let Some(viewer) = opening.join_next().await {
            viewers.push(viewer.unwrap());
        }
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let idle = server.memory_mb();
    let cpu = server.cpu_seconds();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let resting = (server.cpu_seconds() - cpu) / 5.0;

    let began = Instant::now();
    let mut watching = JoinSet::new();
    for viewer in viewers {
        watching.spawn(viewer.until(VOTES + 1));
    }
    for _ in 0..VOTES {
        server.vote().await;
        tokio::time::sleep(PAUSE).await;
    }
    let voted = began.elapsed();
    let (mut updates, mut most, mut last, mut missed) = (0, 0, Duration::ZERO, 0);
    while let Some(seen) = watching.join_next().await {
        match seen.unwrap() {
            Some(seen) => {
                updates += seen.updates;
                most = most.max(seen.updates);
                last = last.max(seen.at.duration_since(began).saturating_sub(voted));
            }
            None => missed += 1,
        }
    }
    let busy = server.memory_mb();
    let seconds = began.elapsed().as_secs_f64();
    let allowed = (seconds * 4.0).ceil() as u64 + 1;
    println!(
        "memory: {before:.1} MB before, {idle:.1} MB with {VIEWERS} idle viewers, {busy:.1} MB after {VOTES} votes"
    );
    println!(
        "cost: {:.1} MB, limit {LIMIT_MB:.0} MB; {:.1} kB a viewer; {:.1} % of a core at rest",
        idle - before,
        (idle - before) * 1_000.0 / VIEWERS as f64,
        resting * 100.0
    );
    println!(
        "updates: {updates} in all, at most {most} a viewer in {seconds:.1} s (allowed {allowed}); the last viewer had the last count {last:.1?} after it; {missed} missed it"
    );
    idle - before < LIMIT_MB && busy - before < LIMIT_MB && most <= allowed && missed == 0
}

/// A token for the JSON API.
fn token(dir: &Path) -> String {
    let made = canvass(dir)
        .args(["api-token", "create", "bench"])
        .output()
        .unwrap();
    let said = String::from_utf8(made.stdout).unwrap();
    said.split_whitespace()
        .max_by_key(|word| word.len())
        .unwrap()
        .to_owned()
}

fn canvass(dir: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command
        .env("CANVASS_DATA_DIR", dir)
        .env(
            "CANVASS_SECRET_KEY",
            "a secret key of at least 32 characters",
        )
        .env("CANVASS_MAIL__TRANSPORT", "mailbox")
        .env("CANVASS_MAIL__ALLOW_CAPTURE", "true")
        .env("CANVASS_LOG__FILTER", "error")
        .stderr(Stdio::null());
    command
}

/// The server process; ended when this is dropped.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    fn start(dir: &Path) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let child = canvass(dir)
            .arg("serve")
            .env("CANVASS_HTTP__BIND", address.to_string())
            .env("CANVASS_LIMITS__VIEWERS_PER_NETWORK", VIEWERS.to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, address }
    }

    async fn ready(&self) {
        let began = Instant::now();
        while TcpStream::connect(self.address).await.is_err() {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "it does not start"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn vote(&self) {
        let answer = self
            .post(
                "/p/trust",
                "Content-Type: application/x-www-form-urlencoded\r\n",
                "option=1",
            )
            .await;
        assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    }

    async fn post(&self, path: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Resident memory, in MB (1,000,000 bytes).
    fn memory_mb(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let kib: f64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|kib| kib.parse().ok())
            .unwrap();
        kib * 1_024.0 / 1e6
    }

    /// CPU time so far; 100 ticks are a second.
    fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let after_name = stat.rsplit(')').next().unwrap();
        let ticks: f64 = after_name
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<f64>().unwrap())
            .sum();
        ticks / 100.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A reader who watches the results.
struct Viewer {
    lines: BufReader<TcpStream>,
}

/// The updates a viewer got before the expected count.
struct Seen {
    updates: u64,
    at: Instant,
}

impl Viewer {
    /// Opens the connection and reads the first results.
    async fn open(to: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(to).await.unwrap();
        let request = format!("GET /p/trust/live HTTP/1.1\r\nHost: {to}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut viewer = Self {
            lines: BufReader::with_capacity(512, stream),
        };
        let first = tokio::time::timeout(Duration::from_secs(60), viewer.next())
            .await
            .expect("the first results come");
        assert_eq!(first, Some(1));
        viewer
    }

    /// The number of voters in the next update; `None` if the server closed the connection.
    async fn next(&mut self) -> Option<i64> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.lines.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            if let Some(json) = line.strip_prefix("data:") {
                let results: serde_json::Value = serde_json::from_str(json.trim()).ok()?;
                return results["voters"].as_i64();
            }
        }
    }

    async fn until(mut self, voters: i64) -> Option<Seen> {
        let watch = async {
            let mut updates = 0;
            loop {
                updates += 1;
                if self.next().await? == voters {
                    return Some(Seen {
                        updates,
                        at: Instant::now(),
                    });
                }
            }
        };
        let longest = PAUSE * u32::try_from(VOTES).unwrap() + SOON;
        tokio::time::timeout(longest, watch).await.ok().flatten()
    }
}
