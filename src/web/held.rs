//! Responses that last for hours and are mostly idle: server-sent events, the same for every viewer.
//!
//! hyper keeps two buffers of 8 kB and the remains of the request for every connection with a response in progress.
//! A page watched by ten thousand readers would cost 200 MB of memory that holds nothing. So once the head of such
//! a response is known, [`connections`](super::connections) takes the socket out of hyper, and only the socket and
//! one small task remain. The response ends with its connection (RFC 9112 §6.3), so it needs no framing, and an
//! update is the same bytes for everybody.

use std::convert::Infallible;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::stream;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, DATE};
use http::{HeaderName, HeaderValue, header, response};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::viewers::Place;
use crate::types::UnixMillis;

/// Proxies and mobile networks drop silent connections. Browsers ignore a comment.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
const COMMENT: &[u8] = b":\n\n";
/// A client that accepts no bytes for this long is taken for gone.
const PATIENCE: Duration = Duration::from_secs(30);

/// Tells nginx to pass events on at once instead of buffering them.
pub const UNBUFFERED: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-accel-buffering"),
    HeaderValue::from_static("no"),
);

/// The events of a response: the latest one, and each newer one until the sender is dropped. A slow client skips
/// events that were superseded meanwhile.
#[derive(Clone, Debug)]
pub struct Held {
    events: watch::Receiver<Option<Bytes>>,
    /// Free again when the response ends.
    _place: Arc<Place>,
}

/// An event in its wire format. `data` must be one line.
#[must_use]
pub fn event(data: &str) -> Bytes {
    Bytes::from(format!("data: {data}\n\n"))
}

impl Held {
    /// A response that continues with `events`, and holds a viewer's place as long.
    #[must_use]
    pub fn answer(events: watch::Receiver<Option<Bytes>>, place: Arc<Place>) -> Response {
        // A stream, because its length is unknown and nobody then adds a length to the head.
        let mut response = Response::new(Body::from_stream(stream::empty::<
            Result<Bytes, Infallible>,
        >()));
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("text/event-stream");
        headers.insert(CONTENT_TYPE, kind);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let (name, value) = UNBUFFERED;
        headers.insert(name, value);
        response.extensions_mut().insert(Self {
            events,
            _place: place,
        });
        response
    }

    /// Sends the head and the events to the client, until they end or the client is gone.
    pub(super) async fn send(mut self, mut stream: TcpStream, head: Vec<u8>) {
        if !sent(&mut stream, &head).await {
            return;
        }
        drop(head);
        self.events.mark_changed();
        loop {
            let news = tokio::select! {
                () = hung_up(&stream) => return,
                news = timeout(SIGN_OF_LIFE, self.events.changed()) => news,
            };
            let latest = match news {
                Ok(Ok(())) => self.events.borrow_and_update().clone(),
                Ok(Err(_)) => break,
                Err(_) => Some(Bytes::from_static(COMMENT)),
            };
            if let Some(event) = latest
                && !sent(&mut stream, &event).await
            {
                return;
            }
        }
        let _ = timeout(PATIENCE, stream.shutdown()).await;
    }
}

async fn sent(stream: &mut TcpStream, bytes: &[u8]) -> bool {
    matches!(timeout(PATIENCE, stream.write_all(bytes)).await, Ok(Ok(())))
}

/// Completes when the client has closed. Anything else it sends is ignored, because this is the connection's last
/// response.
async fn hung_up(stream: &TcpStream) {
    loop {
        if stream.readable().await.is_err() {
            return;
        }
        let mut ignored = [0; 256];
        match stream.try_read(&mut ignored) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// The serialised head of the connection's last response.
pub(super) fn head(mut parts: response::Parts, now: UnixMillis) -> Vec<u8> {
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(header::TRANSFER_ENCODING);
    parts
        .headers
        .insert(CONNECTION, HeaderValue::from_static("close"));
    let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
    let date = printer.timestamp_to_rfc9110_string(&now.timestamp()).ok();
    if let Some(date) = date.and_then(|date| HeaderValue::try_from(date).ok()) {
        parts.headers.insert(DATE, date);
    }
    let reason = parts.status.canonical_reason().unwrap_or_default();
    let mut out = Vec::with_capacity(1_024);
    // Writing into a Vec cannot fail.
    let _ = write!(out, "HTTP/1.1 {} {reason}\r\n", parts.status.as_u16());
    for (name, value) in &parts.headers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    out
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::web::viewers::Viewers;

    fn held(events: watch::Receiver<Option<Bytes>>) -> Held {
        let place = Viewers::new(1).take(Vec::new());
        Held {
            events,
            _place: place.expect("free"),
        }
    }

    #[test]
    fn a_head_says_that_the_connection_ends_with_the_answer() {
        let (_sender, events) = watch::channel(None);
        let (mut parts, _) = Held::answer(events.clone(), held(events)._place).into_parts();
        parts
            .headers
            .insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        assert_eq!(parts.status, StatusCode::OK);
        let text = String::from_utf8(head(parts, UnixMillis(1_700_000_000_000))).expect("text");
        assert_eq!(
            text,
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-store\r\nx-accel-buffering: no\r\nconnection: close\r\n\
             date: Tue, 14 Nov 2023 22:13:20 GMT\r\n\r\n"
        );
    }

    #[tokio::test]
    async fn a_viewer_gets_the_newest_and_the_end() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("bound");
        let mut viewer = TcpStream::connect(address).await.expect("connected");
        let (stream, _) = listener.accept().await.expect("accepted");
        let (sender, events) = watch::channel(Some(event("1")));
        let sending = tokio::spawn(held(events).send(stream, b"head\r\n\r\n".to_vec()));
        let mut seen = String::new();
        while !seen.ends_with("data: 1\n\n") {
            let mut buffer = [0; 64];
            let n = tokio::io::AsyncReadExt::read(&mut viewer, &mut buffer)
                .await
                .expect("open");
            assert!(n > 0, "{seen}");
            seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
        assert_eq!(seen, "head\r\n\r\ndata: 1\n\n");
        sender.send_replace(Some(event("2")));
        drop(sender);
        sending.await.expect("ends");
    }

    #[tokio::test]
    async fn a_viewer_who_left_is_noticed_without_news() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let address = listener.local_addr().expect("bound");
        let viewer = TcpStream::connect(address).await.expect("connected");
        let (stream, _) = listener.accept().await.expect("accepted");
        let (sender, events) = watch::channel(None);
        let sending = tokio::spawn(held(events).send(stream, b"head".to_vec()));
        drop(viewer);
        timeout(Duration::from_secs(10), sending)
            .await
            .expect("noticed")
            .expect("no panic");
        assert_eq!(sender.receiver_count(), 0);
    }
}
