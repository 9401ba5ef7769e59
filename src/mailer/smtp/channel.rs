//! The byte stream under a session: plain or TLS, with a record of what the server said.
//!
//! lettre does not expose the EHLO reply (so PIPELINING cannot be seen), drops the text of a reply that it cannot
//! parse, and fails on octets that are not UTF-8. So the channel remembers what was read since [`Heard::forget`], up to
//! a bound.

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

use super::step::offers_blank;
use crate::{config::crash_point, mailer::reply::Reply};

/// Longer writes are part of a message (RFC 5321 §4.5.3.1.4, and three commands at once).
const LONGEST_COMMAND: usize = 1_000;
/// How much of the replies is remembered, in bytes.
const MEMORY: usize = 8 * 1024;

/// The longest line of a reply, in bytes. lettre looks at the length of a line only after its end; RFC 5321 §4.5.3.1.5
/// allows 512.
const LONGEST_LINE: usize = 8 * 1024;

/// What the server said since the last command.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(Arc<Mutex<Since>>);

#[derive(Debug, Default)]
struct Since {
    replies: Vec<u8>,
    /// Octets of a message, including the final dot, that are not yet handed to the network.
    unwritten: Option<usize>,
    /// Everything was flushed after the final dot.
    dot_sent: bool,
}

impl Heard {
    pub(super) fn forget(&self) {
        let mut since = self.lock();
        since.replies.clear();
        since.unwritten = None;
        since.dot_sent = false;
    }

    /// Call before writing a message; `octets` includes the final dot.
    pub(super) fn message_begins(&self, octets: usize) {
        self.lock().unwritten = Some(octets);
    }

    /// The replies, decoded as UTF-8 if they are valid; servers without UTF-8 mostly send Latin-1.
    pub(super) fn text(&self) -> String {
        let replies = &self.lock().replies;
        match std::str::from_utf8(replies) {
            Ok(text) => text.to_owned(),
            Err(_) => replies.iter().copied().map(char::from).collect(),
        }
    }

    /// Reply number `index` since the last command, with the server's own text, if it has this code.
    pub(super) fn reply(&self, index: usize, code: u16) -> Option<Reply> {
        Reply::nth(&self.text(), index).filter(|reply| reply.code == code)
    }

    /// Whether the server sent anything after the first `replies` replies since the last command.
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

    /// Whether the final dot of a message was handed to the network.
    pub(super) fn dot_written(&self) -> bool {
        self.lock().unwritten == Some(0)
    }

    /// Whether the final dot of a message has left this process: over TLS, what is written may still be in a buffer.
    pub(super) fn dot_sent(&self) -> bool {
        self.lock().dot_sent
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

    fn flushed(&self) {
        let mut since = self.lock();
        since.dot_sent |= since.unwritten == Some(0);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Since> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Plain TCP or TLS.
#[derive(Debug)]
pub(super) enum Stream {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A stream that first replays what was read before lettre took over, and then passes everything through.
#[derive(Debug)]
pub(super) struct Channel {
    stream: Stream,
    replay: Vec<u8>,
    heard: Heard,
    /// Octets since the last line end.
    line: usize,
    /// The reply to `EHLO` is awaited.
    hello: bool,
}

impl Channel {
    pub(super) fn new(stream: Stream, replay: Vec<u8>, heard: Heard) -> Self {
        Self {
            stream,
            replay,
            heard,
            line: 0,
            hello: false,
        }
    }

    /// Refuses a line that does not end, which would fill the memory.
    fn measure(&mut self, said: &[u8]) -> io::Result<()> {
        self.line = match said.iter().rposition(|octet| *octet == b'\n') {
            Some(end) => said.len() - end - 1,
            None => self.line + said.len(),
        };
        if self.line > LONGEST_LINE {
            let why = "a line of the server's reply does not end";
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
        Ok(())
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
        self.measure(said)?;
        if self.hello && offers_blank(&self.heard.text()) {
            let why = "a line of the server's reply to EHLO is blank";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)));
        }
        // lettre treats a reply with any non-UTF-8 octet as a broken connection. The meaning of a reply is in its ASCII
        // part.
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
        self.hello = buf.starts_with(b"EHLO");
        // In builds with crash points, write a message in pieces, so that a test can crash in the middle of it.
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
        let polled = match &mut self.stream {
            Stream::Clear(stream) => Pin::new(stream).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        };
        std::task::ready!(polled)?;
        self.heard.flushed();
        Poll::Ready(Ok(()))
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
