//! Opening a channel with the configured protection.
//!
//! STARTTLS is done here and not by lettre: lettre keeps its read buffer across the handshake, so that a reply injected
//! in clear text before it would be trusted after it (the flaw of CVE-2011-0411, on the client's side).

use std::{io, net::SocketAddr, sync::Arc};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, lookup_host},
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsConnector;

use super::{
    channel::{Channel, Heard, Stream},
    refusal::{Refusal, RefusalKind},
    relay::{Relay, Tls},
};
use crate::mailer::reply::{Phase, Reply};

/// The longest greeting or EHLO reply that is read before TLS, in bytes.
const MAX_CLEAR_REPLY: usize = 8 * 1024;

/// Connects and sets up TLS. After STARTTLS, the greeting is kept for lettre to read.
pub(super) async fn open(relay: &Relay, heard: Heard) -> Result<Channel, Refusal> {
    let mut tcp = reach(relay).await?;
    tcp.set_nodelay(true)
        .map_err(|e| lost(Phase::Connect, &e))?;
    match relay.tls {
        Tls::None => Ok(Channel::new(Stream::Clear(tcp), Vec::new(), heard)),
        Tls::Implicit => {
            let stream = handshake(relay, tcp).await?;
            Ok(Channel::new(stream, Vec::new(), heard))
        }
        Tls::StartTls => {
            let asking = ask_for_tls(relay, &mut tcp);
            let greeting = match timeout(relay.patience.greeting, asking).await {
                Ok(asked) => asked?,
                Err(_) => return Err(Refusal::timed_out(Phase::Tls)),
            };
            let stream = handshake(relay, tcp).await?;
            Ok(Channel::new(stream, greeting, heard))
        }
    }
}

async fn reach(relay: &Relay) -> Result<TcpStream, Refusal> {
    let end = Instant::now() + relay.patience.connect;
    let looking = lookup_host((relay.host.as_str(), relay.port));
    match timeout_at(end, looking).await {
        Ok(Ok(found)) => first_of(&found.collect::<Vec<_>>(), end).await,
        Ok(Err(error)) => Err(lost(Phase::Connect, &error)),
        Err(_) => Err(Refusal::timed_out(Phase::Connect)),
    }
}

/// Connects to the first address that answers. Each has its share of the time, so that one that does not answer (an
/// IPv6 address without a route, for example) does not use up that of the others.
async fn first_of(addresses: &[SocketAddr], end: Instant) -> Result<TcpStream, Refusal> {
    let mut failed = Refusal::unusable(Phase::Connect, "the host has no address");
    for (others, address) in (0..addresses.len()).rev().zip(addresses) {
        let left = end.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(others + 1).unwrap_or(u32::MAX);
        failed = match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Ok(tcp),
            Ok(Err(error)) => lost(Phase::Connect, &error),
            Err(_) => Refusal::timed_out(Phase::Connect),
        };
    }
    Err(failed)
}

async fn handshake(relay: &Relay, tcp: TcpStream) -> Result<Stream, Refusal> {
    let name = ServerName::try_from(relay.host.clone()).map_err(|_| {
        Refusal::unusable(Phase::Tls, "the host is not a name a certificate can bear")
    })?;
    let connector = TlsConnector::from(Arc::clone(&relay.trust));
    match timeout(relay.patience.connect, connector.connect(name, tcp)).await {
        Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(stream))),
        Ok(Err(error)) => match distrust(&error) {
            Some(why) => Err(Refusal::unusable(
                Phase::Tls,
                &format!("{why} {}", relay.host),
            )),
            None => Err(lost(Phase::Tls, &error)),
        },
        Err(_) => Err(Refusal::timed_out(Phase::Tls)),
    }
}

/// What is wrong with the server's certificate. The caller appends the expected name.
fn distrust(error: &io::Error) -> Option<&'static str> {
    use rustls::CertificateError as Bad;
    let error = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    let rustls::Error::InvalidCertificate(bad) = error else {
        return None;
    };
    Some(match bad {
        Bad::Expired | Bad::ExpiredContext { .. } => "the certificate has expired: that of",
        Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
            "the certificate is not valid yet: that of"
        }
        Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
            "the certificate is for another name than"
        }
        Bad::UnknownIssuer => "nobody whom this machine trusts has signed the certificate of",
        Bad::Revoked => "the certificate was revoked: that of",
        _ => return None,
    })
}

/// Runs the conversation up to the server's consent to STARTTLS, and returns the greeting.
async fn ask_for_tls(relay: &Relay, tcp: &mut TcpStream) -> Result<Vec<u8>, Refusal> {
    let greeting = read_reply(tcp, Phase::Greeting).await?;
    expect(220, &greeting, Phase::Greeting)?;
    let hello = format!("EHLO {}\r\n", relay.hello);
    tcp.write_all(hello.as_bytes())
        .await
        .map_err(|e| lost(Phase::Hello, &e))?;
    let features = read_reply(tcp, Phase::Hello).await?;
    expect(250, &features, Phase::Hello)?;
    let offers_tls = String::from_utf8_lossy(&features).lines().any(|line| {
        line.get(4..)
            .is_some_and(|f| f.trim().eq_ignore_ascii_case("STARTTLS"))
    });
    if !offers_tls {
        return Err(Refusal::unusable(
            Phase::Tls,
            "the server does not offer STARTTLS",
        ));
    }
    tcp.write_all(b"STARTTLS\r\n")
        .await
        .map_err(|e| lost(Phase::Tls, &e))?;
    let go_ahead = read_reply(tcp, Phase::Tls).await?;
    expect(220, &go_ahead, Phase::Tls)?;
    Ok(greeting)
}

fn expect(code: u16, raw: &[u8], phase: Phase) -> Result<(), Refusal> {
    let text = String::from_utf8_lossy(raw);
    match Reply::parse(&text) {
        Some(reply) if reply.code == code => Ok(()),
        Some(reply) => Err(Refusal {
            phase,
            kind: RefusalKind::Refused(reply),
        }),
        None => Err(Refusal::unusable(phase, "the server's reply is not SMTP")),
    }
}

/// Reads exactly one reply. Refuses further bytes, because the server sent them unasked.
async fn read_reply(tcp: &mut TcpStream, phase: Phase) -> Result<Vec<u8>, Refusal> {
    let mut raw = Vec::with_capacity(512);
    loop {
        if let Some(end) = end_of_reply(&raw) {
            return if end == raw.len() {
                Ok(raw)
            } else {
                Err(Refusal::unusable(
                    phase,
                    "the server spoke out of turn before TLS",
                ))
            };
        }
        if raw.len() > MAX_CLEAR_REPLY {
            return Err(Refusal::unusable(phase, "the server's reply is too long"));
        }
        let n = tcp.read_buf(&mut raw).await.map_err(|e| lost(phase, &e))?;
        if n == 0 {
            let closed = io::Error::from(io::ErrorKind::UnexpectedEof);
            return Err(lost(phase, &closed));
        }
    }
}

/// The end of the first complete reply: after a line whose fourth octet is not a hyphen.
fn end_of_reply(raw: &[u8]) -> Option<usize> {
    let mut start = 0;
    while let Some(length) = raw[start..].windows(2).position(|w| w == b"\r\n") {
        let line = &raw[start..start + length];
        start += length + 2;
        if line.get(3) != Some(&b'-') {
            return Some(start);
        }
    }
    None
}

fn lost(phase: Phase, error: &io::Error) -> Refusal {
    Refusal {
        phase,
        kind: RefusalKind::Lost(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::net::TcpSocket;

    use super::*;

    #[tokio::test]
    async fn an_address_that_does_not_answer_leaves_time_for_the_next() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let full = listener.local_addr().unwrap();
        let soon = || Instant::now() + Duration::from_millis(300);
        // Nobody accepts: once its queue is full, the kernel answers no more.
        let mut waiting = Vec::new();
        while let Ok(tcp) = first_of(&[full], soon()).await {
            waiting.push(tcp);
            assert!(waiting.len() < 64, "the queue is never full");
        }
        let open = TcpSocket::new_v4().unwrap();
        open.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let open = open.listen(8).unwrap();
        let good = open.local_addr().unwrap();
        let later = Instant::now() + Duration::from_secs(4);
        let tcp = first_of(&[full, good], later).await.unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), good);
    }

    #[test]
    fn a_reply_ends_with_its_last_line() {
        assert_eq!(end_of_reply(b"220 hi\r\n"), Some(8));
        assert_eq!(end_of_reply(b"250-a\r\n250 b\r\n"), Some(14));
        assert_eq!(end_of_reply(b"250-a\r\n250 b"), None);
        assert_eq!(end_of_reply(b"220 go\r\n250 injected\r\n"), Some(8));
    }
}
