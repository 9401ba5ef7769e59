//! Relays to send to: Postfix's `smtp-sink`, which accepts everything at once, and one that simulates distance.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A child process that is ended when the value is dropped.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port()
}

pub fn program(name: &str) -> Option<String> {
    ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin"]
        .iter()
        .map(|dir| format!("{dir}/{name}"))
        .find(|path| Path::new(path).exists())
}

/// `smtp-sink`.
pub struct Sink {
    pub port: u16,
    _process: Running,
}

impl Sink {
    pub fn start(program: &str) -> Self {
        let port = free_port();
        let mut command = Command::new(program);
        // As root it requires a user to run as.
        if std::env::var_os("USER").is_none_or(|user| user == "root") {
            command.args(["-u", "nobody"]);
        }
        command.arg(format!("127.0.0.1:{port}")).arg("1000");
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        let sink = Self {
            port,
            _process: Running(child),
        };
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::yield_now();
        }
        sink
    }
}

/// `smtp-source`: how long it takes to hand over `mails` of `octets`, over sessions that stay open (`-d`).
pub fn flood(
    program: &str,
    port: u16,
    connections: usize,
    mails: usize,
    octets: usize,
) -> Duration {
    let began = Instant::now();
    let status = Command::new(program)
        .args(["-d", "-s", &connections.to_string()])
        .args(["-m", &mails.to_string(), "-l", &octets.to_string()])
        .args(["-f", "news@example.org", "-t", "reader@example.org"])
        .arg(format!("127.0.0.1:{port}"))
        .status()
        .unwrap();
    assert!(status.success());
    began.elapsed()
}

/// Each recipient at this domain takes the relay a second and a half.
pub const SLOW_PROVIDER: &str = "slow.example";
/// Every recipient at this domain is deferred.
pub const THROTTLED_PROVIDER: &str = "throttled.example";
const TARPIT: Duration = Duration::from_millis(1_500);

/// A relay that answers everything it has read so far after `delay`, like one that is far away. It offers
/// PIPELINING.
pub async fn far_away(delay: Duration) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(converse(stream, delay));
        }
    });
    port
}

async fn converse(mut stream: TcpStream, delay: Duration) -> Option<()> {
    stream.write_all(b"220 far.example ESMTP\r\n").await.ok()?;
    let (mut unread, mut in_message) = (Vec::with_capacity(64 * 1024), false);
    let (mut slow, mut refused) = (false, false);
    loop {
        let mut answer: Vec<u8> = Vec::new();
        let mut wait = delay;
        loop {
            if in_message {
                let Some(end) = unread.windows(5).position(|w| w == b"\r\n.\r\n") else {
                    break;
                };
                unread.drain(..end + 5);
                in_message = false;
                if slow {
                    wait = delay + TARPIT;
                }
                answer.extend_from_slice(b"250 taken\r\n");
                continue;
            }
            let Some(end) = unread.windows(2).position(|w| w == b"\r\n") else {
                break;
            };
            let line: Vec<u8> = unread.drain(..end + 2).collect();
            answer.extend_from_slice(match line.get(..4) {
                Some(b"EHLO") => b"250-far.example\r\n250 PIPELINING\r\n",
                Some(b"RCPT") => {
                    slow = named(&line, SLOW_PROVIDER);
                    refused = named(&line, THROTTLED_PROVIDER);
                    if refused {
                        b"421 4.7.0 [TSS04] temporarily deferred\r\n"
                    } else {
                        b"250 yes\r\n"
                    }
                }
                Some(b"DATA") if refused => b"503 no recipients\r\n",
                Some(b"DATA") => {
                    in_message = true;
                    b"354 go on\r\n"
                }
                _ => b"250 yes\r\n",
            });
        }
        if !answer.is_empty() {
            tokio::time::sleep(wait).await;
            stream.write_all(&answer).await.ok()?;
        }
        if stream.read_buf(&mut unread).await.ok()? == 0 {
            return None;
        }
    }
}

/// Whether a line names a recipient at this provider.
fn named(line: &[u8], domain: &str) -> bool {
    line.windows(domain.len()).any(|w| w == domain.as_bytes())
}

/// The limit for this many connections: a client without a ledger that pipelines like ours.
pub async fn bare(port: u16, connections: usize, mails: usize, octets: usize) -> Duration {
    let began = Instant::now();
    let clients: Vec<_> = (0..connections)
        .map(|_| tokio::spawn(bare_client(port, mails / connections, octets)))
        .collect();
    for client in clients {
        client.await.unwrap().unwrap();
    }
    began.elapsed()
}

async fn bare_client(port: u16, mails: usize, octets: usize) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let mut buffer = [0; 1_024];
    let _greeting = stream.read(&mut buffer).await?;
    stream.write_all(b"EHLO bench.example\r\n").await?;
    let _hello = stream.read(&mut buffer).await?;
    let message = format!(
        "Subject: x\r\n\r\n{}.\r\n",
        format!("{}\r\n", "x".repeat(70)).repeat(octets / 72)
    );
    // The next mail begins in the packet that ends this one: one round trip for each mail.
    const OPEN: &str = "MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n";
    let (last, next) = (message.clone(), message + OPEN);
    stream.write_all(OPEN.as_bytes()).await?;
    for mail in 1..=mails {
        let _go_on = stream.read(&mut buffer).await?;
        let octets = if mail < mails { &next } else { &last };
        stream.write_all(octets.as_bytes()).await?;
    }
    let _taken = stream.read(&mut buffer).await?;
    Ok(())
}
