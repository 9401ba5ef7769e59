//! Clients that keep a connection open and send the next request as soon as they have the response.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The amount of load, and the response that is expected.
#[derive(Clone, Copy)]
pub struct Limits {
    connections: usize,
    lasts: Duration,
    status: &'static [u8; 3],
    /// Whether each request comes from a browser that has answered another poll before, or from a new one.
    returning: bool,
}

impl Limits {
    pub fn new(connections: usize, lasts: Duration, status: &'static [u8; 3]) -> Self {
        Self {
            connections,
            lasts,
            status,
            returning: false,
        }
    }

    pub fn returning(self, returning: bool) -> Self {
        Self { returning, ..self }
    }
}

/// The number of returning browsers so far.
static RETURNED: AtomicU64 = AtomicU64::new(0);
/// The place of their markers in a request: 22 digits.
const MARKED: &str = "Cookie: canvass_voter=0000000000000000000000\r\n";

/// The result of a run.
pub struct Run {
    pub answers: u64,
    pub rate: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// Keeps the connections busy; every response must have the expected status.
pub async fn load(to: SocketAddr, path: &'static str, limits: Limits) -> Run {
    let started = Instant::now();
    let clients: Vec<_> = (0..limits.connections)
        .map(|n| {
            tokio::spawn(async move {
                let headers = if limits.returning { MARKED } else { "" };
                let mut client = Client::open(to, path, n % 2 + 1, headers).await;
                let mut waits = Vec::new();
                while started.elapsed() < limits.lasts {
                    if limits.returning {
                        client.come_back();
                    }
                    let sent = Instant::now();
                    let answer = client.ask().await;
                    assert_eq!(&answer.status, limits.status);
                    waits.push(sent.elapsed().as_secs_f64() * 1_000.0);
                }
                waits
            })
        })
        .collect();
    let mut waits = Vec::new();
    for client in clients {
        waits.extend(client.await.unwrap());
    }
    let took = started.elapsed().as_secs_f64();
    waits.sort_by(f64::total_cmp);
    Run {
        answers: waits.len() as u64,
        rate: waits.len() as f64 / took,
        p50_ms: waits[waits.len() / 2],
        p99_ms: waits[waits.len() * 99 / 100],
    }
}

/// One client on one connection.
pub struct Client {
    stream: TcpStream,
    request: Vec<u8>,
    buffer: Vec<u8>,
}

/// The response to a vote.
pub struct Answer {
    pub status: [u8; 3],
    pub says_when: bool,
}

impl Client {
    /// `headers`: additional headers, each with its line end.
    pub async fn open(to: SocketAddr, path: &str, option: usize, headers: &str) -> Self {
        let stream = TcpStream::connect(to).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {to}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             {headers}Content-Length: 8\r\n\r\noption={option}"
        );
        Self {
            stream,
            request: request.into_bytes(),
            buffer: vec![0; 32_768],
        }
    }

    /// Gives the next request a new marker.
    fn come_back(&mut self) {
        let marker = format!("{:022}", RETURNED.fetch_add(1, Ordering::Relaxed));
        let at = find(&self.request, b"canvass_voter=").unwrap() + 14;
        self.request[at..at + 22].copy_from_slice(marker.as_bytes());
    }

    pub async fn ask(&mut self) -> Answer {
        self.stream.write_all(&self.request).await.unwrap();
        let (mut got, mut whole) = (0, None);
        while whole.is_none_or(|whole| got < whole) {
            let n = self.stream.read(&mut self.buffer[got..]).await.unwrap();
            assert!(n > 0, "the server hung up");
            got += n;
            if whole.is_none() {
                whole = whole_length(&self.buffer[..got]);
            }
        }
        let head = &self.buffer[..got];
        let mut status = [0; 3];
        status.copy_from_slice(&head[9..12]);
        // Only searched for where it is expected, to keep the load generator cheap.
        let says_when = &status == b"503" && find(head, b"retry-after: ").is_some();
        Answer { status, says_when }
    }
}

/// The length of the response, once its head is complete.
fn whole_length(bytes: &[u8]) -> Option<usize> {
    if bytes.ends_with(b"\r\n\r\n") && bytes.starts_with(b"HTTP/1.1 303") {
        // It has no body: the head is the whole response.
        return Some(bytes.len());
    }
    let head = find(bytes, b"\r\n\r\n")? + 4;
    let named = b"content-length: ";
    let length = find(&bytes[..head], named).map_or(0, |at| {
        let digits = &bytes[at + named.len()..head];
        let end = digits.iter().position(|b| *b == b'\r').unwrap();
        std::str::from_utf8(&digits[..end])
            .unwrap()
            .parse()
            .unwrap()
    });
    Some(head + length)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
