//! Ports for programs that begin to listen later, or again.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below those from which Linux serves whoever asks for any port, so that no other test gets it meanwhile.
const FIRST: u16 = 12_000;
const LAST: u16 = 19_999;

/// A port of this machine's loopback that nobody listens on, different each time.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Tests that run in another process at the same time begin elsewhere.
    let begin = std::process::id() % 79 * 101;
    let all = u32::from(LAST - FIRST) + 1;
    for _ in 0..all {
        let next = begin + u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + u16::try_from(next % all).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free");
}
