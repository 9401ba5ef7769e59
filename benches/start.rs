//! The size of the binary, and the time from its start to the first 200.
//!
//!     cargo bench --bench start
//!
//! Each start is a separate process with a separate data directory; "again" opens the same directory a second time.
//! Fails if a median exceeds its limit.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a measurement")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_canvass");
const RUNS: usize = 10;
const LIMIT: Duration = Duration::from_secs(1);

fn main() {
    let size = std::fs::metadata(BINARY).unwrap().len();
    println!("binary: {:.1} MB", size as f64 / 1e6);
    let (mut first, mut again) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let dir = tempfile::tempdir().unwrap();
        first.push(start(dir.path()));
        again.push(start(dir.path()));
    }
    let mut good = true;
    for (name, mut times) in [("new database", first), ("again", again)] {
        times.sort();
        let median = times[RUNS / 2];
        println!(
            "start to first 200, {name}: median {median:.1?} of {RUNS} ({:.1?} to {:.1?}), limit {LIMIT:?}",
            times[0],
            times[RUNS - 1]
        );
        good &= median < LIMIT;
    }
    std::process::exit(i32::from(!good));
}

/// Starts a server, waits for the first 200 of `/readyz`, stops it.
fn start(dir: &Path) -> Duration {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let began = Instant::now();
    let mut server = Server(
        Command::new(BINARY)
            .arg("serve")
            .env("CANVASS_DATA_DIR", dir)
            .env("CANVASS_HTTP__BIND", address.to_string())
            .env(
                "CANVASS_SECRET_KEY",
                "a secret key of at least 32 characters",
            )
            .env("CANVASS_MAIL__TRANSPORT", "mailbox")
            .env("CANVASS_MAIL__ALLOW_CAPTURE", "true")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    while !ready(address) {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "it does not start"
        );
        assert!(server.0.try_wait().unwrap().is_none(), "it has ended");
        std::thread::yield_now();
    }
    began.elapsed()
}

fn ready(address: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    let request = b"GET /readyz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n";
    let mut answer = String::new();
    stream.write_all(request).is_ok()
        && stream.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}

/// A server process that is ended when the value is dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
