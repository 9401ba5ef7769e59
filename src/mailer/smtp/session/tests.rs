//! What shows only from within: buffers of a known size, and a panic that would be logged as a bug of this program.

use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpSocket, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::super::{
    channel::{Channel, Stream},
    trust_of_this_machine,
};
use super::*;
use crate::panics;

const SECONDS: Duration = Duration::from_secs(20);

fn acceptor() -> TlsAcceptor {
    let cert = include_bytes!("../../../../tests/support/tls/server.pem");
    let key = include_bytes!("../../../../tests/support/tls/server.key");
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let config = rustls::ServerConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(cert).unwrap()],
            PrivateKeyDer::from_pem_slice(key).unwrap(),
        )
        .unwrap();
    TlsAcceptor::from(std::sync::Arc::new(config))
}

fn connector() -> TlsConnector {
    let ca = include_bytes!("../../../../tests/support/tls/ca.pem");
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca).unwrap())
        .unwrap();
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let config = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(std::sync::Arc::new(config))
}

/// Both ends of a connection on which the kernel holds some 30 kB at most.
async fn narrow() -> (TcpStream, TcpStream) {
    let server = TcpSocket::new_v4().unwrap();
    server.set_recv_buffer_size(4096).unwrap();
    server.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let server = server.listen(1).unwrap();
    let client = TcpSocket::new_v4().unwrap();
    client.set_send_buffer_size(4096).unwrap();
    let address = server.local_addr().unwrap();
    let (client, accepted) = tokio::join!(client.connect(address), server.accept());
    (client.unwrap(), accepted.unwrap().0)
}

/// Says this after the first octets of the message, when the client has written all of it, and closes the connection.
async fn close_in_mid_message(tcp: TcpStream, says: &str) {
    let mut tls = BufReader::new(acceptor().accept(tcp).await.unwrap());
    tls.write_all(b"220 test\r\n").await.unwrap();
    tls.flush().await.unwrap();
    for reply in ["250 test\r\n", "250 ok\r\n", "250 ok\r\n", "354 go on\r\n"] {
        let mut line = String::new();
        tls.read_line(&mut line).await.unwrap();
        tls.write_all(reply.as_bytes()).await.unwrap();
        tls.flush().await.unwrap();
    }
    tls.read_exact(&mut [0; 1_000]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    tls.write_all(says.as_bytes()).await.unwrap();
    tls.flush().await.unwrap();
}

/// More than the kernel holds, and less than rustls does: all of it counts as written, and most has not been sent.
#[tokio::test]
async fn what_a_server_says_before_it_closes_counts_over_tls_too() {
    let message = "0123456789".repeat(6_000);
    let url = "smtps://localhost:1";
    let mut relay =
        Relay::parse(url, "news.example.org", trust_of_this_machine().unwrap()).unwrap();
    relay.patience = Patience::of(SECONDS);
    let envelope = Envelope::new("news@example.org", "r@example.org").unwrap();
    for says in [
        "552 5.3.4 too big\r\n",
        "421 4.3.2 closing\r\n",
        "250 2.0.0 ok\r\n",
        "",
    ] {
        let (client, server) = narrow().await;
        let serving = tokio::spawn(close_in_mid_message(server, says));
        let name = ServerName::try_from("localhost").unwrap();
        let tls = connector().connect(name, client).await.unwrap();
        let heard = Heard::default();
        let stream = Stream::Tls(Box::new(tls));
        let channel = Channel::new(stream, Vec::new(), heard.clone());
        let greeted = Greeted::over(channel, heard, &relay).await.unwrap();
        let mut session = greeted.log_in(&relay).await.unwrap();
        let ready = session.open(&envelope).await.unwrap();
        let outcome = ready.finish(message.as_bytes(), None).await;
        serving.await.unwrap();
        assert!(session.heard.dot_written(), "{says}: nothing was buffered");
        match outcome {
            Outcome::Refused(reply) => assert_eq!((reply.code, &says[..3]), (552, "552")),
            Outcome::InDoubt(_) => assert!(!says.starts_with("552"), "its words were not read"),
            other => panic!("{says}: {other:?}"),
        }
        assert!(!session.takes(&envelope), "{says}");
    }
}

#[tokio::test]
async fn a_blank_line_in_the_reply_to_ehlo_is_no_bug_of_this_program() {
    panics::watch();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut tcp = BufReader::new(tcp);
        // The blank line comes in two pieces.
        for says in ["220 test\r\n", "250-test\r\n250- ", " \r\n250 DSN\r\n"] {
            tcp.write_all(says.as_bytes()).await.unwrap();
            if says.ends_with('\n') {
                tcp.read_line(&mut String::new()).await.unwrap();
            } else {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    });
    let mut relay =
        Relay::parse(&url, "news.example.org", trust_of_this_machine().unwrap()).unwrap();
    relay.patience = Patience::of(SECONDS);
    let refusal = Session::connect(&relay).await.map(|_| ()).unwrap_err();
    assert_eq!(refusal, unreadable());
    assert_eq!(panics::place(), "a place that is not known", "it panicked");
}
