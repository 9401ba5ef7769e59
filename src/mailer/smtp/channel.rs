//! The byte stream under a session: clear or TLS, with an ear on what the server says.
//!
//! lettre keeps the EHLO reply to itself (so that PIPELINING stays unseen) and drops the words of a reply it cannot
//! parse, and gives up at octets that are not UTF-8. The channel remembers what was read since [`Heard::forget`], up to a bound, so that both can be looked up.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use lettre::transport::smtp::client::AsyncTokioStream;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use crate::{config::crash_point, mailer::reply::Reply};

/// What is longer is part of a message (RFC 5321 §4.5.3.1.4, and three commands at once).
const LONGEST_COMMAND: usize = 1_000;
/// The longest stretch of replies that is remembered, in bytes.
const MEMORY: usize = 8 * 1024;

/// What the server said since the last command.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(Arc<Mutex<Since>>);

#[derive(Debug, Default)]
struct Since {
    replies: Vec<u8>,
    /// Octets of a message, its final dot included, that the network has not taken yet.
    unwritten: Option<usize>,
}

impl Heard {
    pub(super) fn forget(&self) {
        let mut since = self.lock();
        since.replies.clear();
        since.unwritten = None;
    }

    /// From here on a message of so many octets is written, its final dot included.
    pub(super) fn message_begins(&self, octets: usize) {
        self.lock().unwritten = Some(octets);
    }

    /// In UTF-8 where it is that; servers that know no UTF-8 mostly speak Latin-1.
    pub(super) fn text(&self) -> String {
        let replies = &self.lock().replies;
        match std::str::from_utf8(replies) {
            Ok(text) => text.to_owned(),
            Err(_) => replies.iter().copied().map(char::from).collect(),
        }
    }

    /// The reply number `index` since the last command, in the server's own words, if it has that code.
    pub(super) fn reply(&self, index: usize, code: u16) -> Option<Reply> {
        Reply::nth(&self.text(), index).filter(|reply| reply.code == code)
    }

    /// Whether anything was said behind the first `replies` replies since the last command.
    pub(super) fn goes_on_after(&self, replies: usize) -> bool {
        let mut seen = 0;
        for line in self.text().lines() {
            if seen == replies {
                return true;
            }
            seen += usize::from(line.as_bytes().get(3) != Some(&b'-'));
        }
        false
    }

    /// Whether the end of a message was given to the network.
    pub(super) fn dot_written(&self) -> bool {
        self.lock().unwritten == Some(0)
    }

    fn hear(&self, bytes: &[u8]) {
        let mut since = self.lock();
        let room = MEMORY.saturating_sub(since.replies.len()).min(bytes.len());
        since.replies.extend_from_slice(&bytes[..room]);
    }

    fn wrote(&self, octets: usize) {
        if let Some(unwritten) = &mut self.lock().unwritten {
            *unwritten = unwritten.saturating_sub(octets);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Since> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Clear or encrypted.
#[derive(Debug)]
pub(super) enum Stream {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A stream that first replays what was read before lettre took over, then passes everything on.
#[derive(Debug)]
pub(super) struct Channel {
    stream: Stream,
    replay: Vec<u8>,
    heard: Heard,
}

impl Channel {
    pub(super) fn new(stream: Stream, replay: Vec<u8>, heard: Heard) -> Self {
        Self {
            stream,
            replay,
            heard,
        }
    }
}

impl AsyncRead for Channel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if self.replay.is_empty() {
            let polled = match &mut self.stream {
                Stream::Clear(stream) => Pin::new(stream).poll_read(cx, buf),
                Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buf),
            };
            std::task::ready!(polled)?;
        } else {
            let n = self.replay.len().min(buf.remaining());
            buf.put_slice(&self.replay[..n]);
            self.replay.drain(..n);
        }
        let said = &mut buf.filled_mut()[before..];
        self.heard.hear(said);
        // lettre takes a reply with one octet that is not UTF-8 for a broken connection. What a reply means stands in ASCII.
        for octet in said.iter_mut().filter(|octet| !octet.is_ascii()) {
            *octet = b'?';
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Channel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        // A crash in mid-message needs a middle: where crashes can be asked for, a message goes in pieces.
        let piece = match buf.len() {
            long if cfg!(debug_assertions) && long > LONGEST_COMMAND => &buf[..long / 2],
            _ => buf,
        };
        let polled = match &mut self.stream {
            Stream::Clear(stream) => Pin::new(stream).poll_write(cx, piece),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, piece),
        };
        let octets = std::task::ready!(polled)?;
        self.heard.wrote(octets);
        if self.heard.dot_written() {
            crash_point("after_dot");
        } else if piece.len() < buf.len() {
            crash_point("in_body");
        }
        Poll::Ready(Ok(octets))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Clear(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Stream::Clear(stream) => Pin::new(stream).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }
}

impl AsyncTokioStream for Channel {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        match &self.stream {
            Stream::Clear(stream) => stream.peer_addr(),
            Stream::Tls(stream) => stream.get_ref().0.peer_addr(),
        }
    }
}
