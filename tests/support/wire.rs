//! Raw bytes on a connection, for requests that no client library would send.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Sends raw bytes and reads until the server closes the connection or sends nothing more.
pub async fn exchange(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may respond and close the connection before it has read everything.
    let _ = stream.write_all(bytes).await;
    read(&mut stream).await
}

/// Sends a head, then keeps sending pieces of a body until the server responds. Also returns
/// how many bytes of the body the server accepted.
pub async fn flood(address: SocketAddr, head: &str, piece: &[u8]) -> (Answer, usize) {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut from, mut to) = stream.into_split();
    to.write_all(head.as_bytes()).await.unwrap();
    let reading = tokio::spawn(async move { read(&mut from).await });
    let mut sent = 0;
    while !reading.is_finished() && to.write_all(piece).await.is_ok() {
        sent += piece.len();
        tokio::task::yield_now().await;
    }
    (reading.await.unwrap(), sent)
}

/// Sends bytes without waiting for a response. Dropping the stream closes the connection.
pub async fn send(address: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

/// The response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub text: String,
}

async fn read(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Answer {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let patience = if bytes.is_empty() { 20 } else { 1 };
        let reading = tokio::time::timeout(Duration::from_secs(patience), stream.read(&mut buffer));
        match reading.await {
            Ok(Ok(n)) if n > 0 => bytes.extend_from_slice(&buffer[..n]),
            _ => break,
        }
        if ended(&bytes) {
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1).and_then(|s| s.parse().ok());
    Answer {
        status: status.unwrap_or(0),
        text,
    }
}

/// Whether a response of known length is complete.
fn ended(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    head.split("\r\n")
        .find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
        .is_some_and(|length: usize| body.len() >= length)
}
