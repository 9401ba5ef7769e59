//! Clients that keep a connection open and send the next request as soon as they have the response.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use canvass::types::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Whose requests they are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Browsers {
    /// Without scripts and without a cookie: they get their marker with the response.
    Plain,
    /// With scripts: the page has made a marker, which begins with this number (see `data-mark` in the form) and the time.
    Scripted(u32),
    /// They have answered another poll before: a cookie with a marker that has nothing to do with this poll.
    Returning,
}

/// The amount of load, and the response that is expected.
#[derive(Clone, Copy)]
pub struct Limits {
    connections: usize,
    lasts: Duration,
    status: &'static [u8; 3],
    browsers: Browsers,
}

impl Limits {
    pub fn new(connections: usize, lasts: Duration, status: &'static [u8; 3]) -> Self {
        Self {
            connections,
            lasts,
            status,
            browsers: Browsers::Plain,
        }
    }

    pub fn by(self, browsers: Browsers) -> Self {
        Self { browsers, ..self }
    }
}

/// The number of browsers with a marker so far.
static MARKED: AtomicU64 = AtomicU64::new(0);
/// The length of a marker.
const MARKER: usize = 22;

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
                let mut client = Client::open_as(to, path, n % 2 + 1, limits.browsers).await;
                let mut waits = Vec::new();
                while started.elapsed() < limits.lasts {
                    client.be_another(limits.browsers);
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
        Self::opened(to, path, headers, &format!("option={option}")).await
    }

    async fn open_as(to: SocketAddr, path: &str, option: usize, browsers: Browsers) -> Self {
        let nobody = "0".repeat(MARKER);
        let (headers, body) = match browsers {
            Browsers::Plain => (String::new(), format!("option={option}")),
            Browsers::Scripted(_) => (String::new(), format!("option={option}&marker={nobody}")),
            Browsers::Returning => (
                format!("Cookie: canvass_voter={nobody}\r\n"),
                format!("option={option}"),
            ),
        };
        Self::opened(to, path, &headers, &body).await
    }

    async fn opened(to: SocketAddr, path: &str, headers: &str, body: &str) -> Self {
        let stream = TcpStream::connect(to).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {to}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             {headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Self {
            stream,
            request: request.into_bytes(),
            buffer: vec![0; 32_768],
        }
    }

    /// Gives the next request a marker that nobody has had.
    fn be_another(&mut self, browsers: Browsers) {
        let number = || MARKED.fetch_add(1, Ordering::Relaxed);
        let (before, marker): (&[u8], _) = match browsers {
            Browsers::Plain => return,
            Browsers::Scripted(poll) => (b"&marker=", made_by_the_page(poll, number())),
            Browsers::Returning => (b"canvass_voter=", format!("{:022}", number())),
        };
        let at = find(&self.request, before).unwrap() + before.len();
        self.request[at..at + MARKER].copy_from_slice(marker.as_bytes());
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

/// A marker as `proof.js` makes it, with a number for its random bits.
fn made_by_the_page(poll: u32, number: u64) -> String {
    let steps = Clock::System.now().0 / 8;
    let time = u32::try_from(steps & 0xff_ffff).unwrap();
    let mut bytes = [0; 16];
    bytes[..3].copy_from_slice(&poll.to_be_bytes()[1..]);
    bytes[3..6].copy_from_slice(&time.to_be_bytes()[1..]);
    // Spread, as random bits would be.
    bytes[8..].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
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
