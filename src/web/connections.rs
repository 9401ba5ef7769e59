//! The HTTP server: accepts connections, answers with the router, closes idle connections, and hands sockets over
//! to [`Held`] responses.
//!
//! HTTP/1.1 by hyper, used the way axum's own server does, with two additions: the socket of a response that lasts
//! for hours is taken out of hyper, and a connection without any traffic for a while is closed, so that clients
//! that vanished cannot use up the open files of the process.

use std::convert::Infallible;
use std::future::{Future as _, pending, poll_fn};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Method, Request};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service as _;

use super::held::{self, Held};
use crate::types::Clock;

/// An idle connection without a response in progress is closed after this time. It is longer than proxies keep
/// connections for the next request (60 s for nginx), so that the proxy closes first and no request runs into a
/// closing connection.
pub const QUIET: Duration = Duration::from_secs(75);
/// How often within that time a connection is checked. One that sends bytes at this many checks without completing
/// a request is closed as well: otherwise a byte now and then would hold a socket for ever.
const LOOKS: u32 = 3;
/// The pause after the listener failed (too many open files).
const AGAIN: Duration = Duration::from_secs(1);

/// Accepts connections until `stopping`, then finishes the requests in progress. A connection without traffic for
/// `quiet` is closed.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    clock: Clock,
    stopping: CancellationToken,
    quiet: Duration,
) {
    let open = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                // Responses are written whole, so waiting for more to send would only delay them. A peer that is
                // already gone is noticed at the first read.
                let _ = stream.set_nodelay(true);
                let (router, clock, stopping) = (router.clone(), clock.clone(), stopping.clone());
                let tracker = open.clone();
                open.spawn(async move {
                    if let Some((stream, taken)) =
                        answer(stream, peer, router, (clock, quiet), stopping).await
                    {
                        // In a small task of its own, so that the larger one of the connection can end.
                        tracker.spawn(taken.held.send(stream, taken.head));
                    }
                });
            }
            Err(error) if is_peers(&error) => {}
            Err(error) => {
                tracing::error!(%error, "connections cannot be accepted");
                sleep(AGAIN).await;
            }
        }
    }
    drop(listener);
    open.close();
    open.wait().await;
}

/// Whether the error concerns the connecting peer, not our listener.
fn is_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}

/// A response that continues outside hyper.
struct Taken {
    head: Vec<u8>,
    held: Held,
}

/// The state shared by the socket, the service and the loop that polls them.
#[derive(Default)]
struct Shared {
    taken: Mutex<Option<Taken>>,
    /// A held response waits to be taken over.
    asked: AtomicBool,
    /// hyper holds bytes of an earlier response that the socket has not accepted yet.
    unflushed: AtomicBool,
    /// Bytes were received.
    read: AtomicBool,
    /// Bytes were sent.
    written: AtomicBool,
    /// A response is in progress.
    busy: AtomicBool,
}

/// Serves the requests of one connection. Returns its socket if the last response is a held one.
async fn answer(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    (clock, quiet): (Clock, Duration),
    stopping: CancellationToken,
) -> Option<(TcpStream, Taken)> {
    let shared = Arc::new(Shared::default());
    let socket = Socket {
        stream,
        shared: shared.clone(),
    };
    let seen = shared.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        seen.busy.store(true, Ordering::Relaxed);
        request.extensions_mut().insert(ConnectInfo(peer));
        let wants_body = request.method() != Method::HEAD;
        let answering = router.clone().call(request.map(Body::new));
        let (seen, clock) = (seen.clone(), clock.clone());
        async move {
            let mut response = answering.await?;
            if wants_body && let Some(held) = response.extensions_mut().remove::<Held>() {
                let head = held::head(response.into_parts().0, clock.now());
                *seen.taken.lock().unwrap_or_else(PoisonError::into_inner) =
                    Some(Taken { head, held });
                seen.asked.store(true, Ordering::Relaxed);
                // The loop below takes the socket over and drops this future.
                return pending().await;
            }
            seen.busy.store(false, Ordering::Relaxed);
            Ok::<_, Infallible>(response)
        }
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(socket), service);
    let mut stopped = pin!(stopping.cancelled());
    let mut told = false;
    let mut look = pin!(sleep(quiet / LOOKS));
    // Consecutive checks without any traffic, and checks at which bytes had come but no response was in progress.
    let (mut still, mut dribbling) = (0, 0);
    let taken = poll_fn(|cx| {
        if !told && stopped.as_mut().poll(cx).is_ready() {
            told = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        // An error is the peer's doing: it broke off, or did not speak HTTP.
        if Pin::new(&mut connection).poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        if shared.asked.load(Ordering::Relaxed) && !shared.unflushed.load(Ordering::Relaxed) {
            let mut taken = shared.taken.lock().unwrap_or_else(PoisonError::into_inner);
            return Poll::Ready(taken.take());
        }
        while look.as_mut().poll(cx).is_ready() {
            let read = shared.read.swap(false, Ordering::Relaxed);
            let works = shared.written.swap(false, Ordering::Relaxed)
                || shared.busy.load(Ordering::Relaxed);
            (still, dribbling) = match (works, read) {
                (true, _) => (0, 0),
                (false, true) => (0, dribbling + 1),
                (false, false) => (still + 1, dribbling),
            };
            if still == LOOKS || dribbling == LOOKS {
                return Poll::Ready(None);
            }
            look.as_mut().reset(Instant::now() + quiet / LOOKS);
        }
        Poll::Pending
    })
    .await?;
    let socket = connection.into_parts().io.into_inner();
    Some((socket.stream, taken))
}

/// A socket that records what passes through it.
struct Socket {
    stream: TcpStream,
    shared: Arc<Shared>,
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if read.is_ready() {
            self.shared.read.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.shared.unflushed.store(true, Ordering::Relaxed);
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        if written.is_ready() {
            self.shared.written.store(true, Ordering::Relaxed);
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.shared.unflushed.store(true, Ordering::Relaxed);
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        if written.is_ready() {
            self.shared.written.store(true, Ordering::Relaxed);
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// hyper flushes only when its own buffer is empty.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.unflushed.store(false, Ordering::Relaxed);
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::watch;
    use tokio::time::timeout;

    use super::*;
    use crate::web::viewers::Viewers;

    /// Sends `requests` in one go and returns what the client reads until the server closes.
    async fn conversation(requests: &str) -> String {
        let (events, watched) = watch::channel(Some(held::event("news")));
        let place = Viewers::new(1).take(Vec::new()).expect("free");
        let live = move || {
            let (watched, place) = (watched.clone(), place.clone());
            async move { Held::answer(watched, place) }
        };
        let router = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/live", get(live));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        let stopping = CancellationToken::new();
        let serving = tokio::spawn(serve(
            listener,
            router,
            Clock::System,
            stopping.clone(),
            QUIET,
        ));
        let mut client = TcpStream::connect(address).await.expect("connected");
        client.write_all(requests.as_bytes()).await.expect("sent");
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).ends_with("data: news\n\n") {
            let n = client.read_buf(&mut seen).await.expect("read");
            if n == 0 {
                break;
            }
        }
        // Newer bytes, then the end: both arrive, and then the server has nothing left to wait for.
        events.send_replace(Some(Bytes::from_static(b"data: last\n\n")));
        let mut more = client;
        let reading = async {
            while !String::from_utf8_lossy(&seen).contains("data: last") {
                if more.read_buf(&mut seen).await.expect("read") == 0 {
                    break;
                }
            }
            stopping.cancel();
            drop(events);
            more.read_to_end(&mut seen).await.expect("the end");
        };
        timeout(Duration::from_secs(10), reading)
            .await
            .expect("it ends");
        timeout(Duration::from_secs(10), serving)
            .await
            .expect("it stops")
            .expect("no panic");
        String::from_utf8(seen).expect("text")
    }

    #[tokio::test]
    async fn a_held_answer_follows_the_answers_before_it_and_ends_its_connection() {
        let seen = conversation(
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /live HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        )
        .await;
        let (first, second) = seen.split_once("hello").expect("the first answer");
        assert!(first.starts_with("HTTP/1.1 200 OK\r\n"), "{seen}");
        let (head, events) = second.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{seen}");
        assert!(head.contains("connection: close"), "{seen}");
        assert!(
            !head.contains("length") && !head.contains("chunked"),
            "{seen}"
        );
        // The events have no framing, and requests after them are not answered.
        assert_eq!(events, "data: news\n\ndata: last\n\n");
    }

    #[tokio::test]
    async fn head_is_answered_by_the_head_alone() {
        let seen =
            conversation("HEAD /live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
        assert!(seen.starts_with("HTTP/1.1 200 OK\r\n"), "{seen}");
        assert!(
            seen.contains("text/event-stream") && seen.ends_with("\r\n\r\n"),
            "{seen}"
        );
    }
}
