//! The SMTP session over TLS: good certificates, bad ones, and a man in the middle.

use std::sync::Arc;

use canvass::mailer::reply::Phase;
use canvass::mailer::smtp::{Relay, Session};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::TlsAcceptor;

use crate::mailer_smtp::{MAIL, accepted, relay, send};
use crate::support::smtp_server::{Offers, SmtpServer};

fn acceptor() -> TlsAcceptor {
    acceptor_with(include_bytes!("support/tls/server.pem"))
}

fn acceptor_with(pem: &[u8]) -> TlsAcceptor {
    let cert = CertificateDer::from_pem_slice(pem).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("support/tls/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

fn trusting(mut relay: Relay) -> Relay {
    let mut roots = rustls::RootCertStore::empty();
    for ca in [
        &include_bytes!("support/tls/ca.pem")[..],
        include_bytes!("support/tls/bad-ca.pem"),
    ] {
        roots
            .add(CertificateDer::from_pem_slice(ca).unwrap())
            .unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    relay.trust = Arc::new(config);
    relay
}

async fn tls_server(starttls: bool, injected: Option<&str>) -> (SmtpServer, String) {
    let server = SmtpServer::offering(Offers {
        starttls: starttls.then(acceptor),
        implicit_tls: (!starttls).then(acceptor),
        injected: injected.map(str::to_owned),
        ..Offers::default()
    })
    .await;
    let scheme = if starttls { "smtp+starttls" } else { "smtps" };
    let url = format!("{scheme}://localhost:{}", server.port());
    (server, url)
}

#[tokio::test]
async fn mails_go_over_tls_both_ways() {
    for starttls in [true, false] {
        let (server, url) = tls_server(starttls, None).await;
        let mut session = Session::connect(&trusting(relay(&url))).await.unwrap();
        for n in 0..3 {
            assert!(accepted(
                &send(&mut session, &format!("r{n}@example.org")).await
            ));
        }
        assert_eq!(server.received()[2].raw.as_bytes(), MAIL);
    }
}

#[tokio::test]
async fn tls_that_was_asked_for_never_becomes_clear_text() {
    // A certificate that is not trusted.
    for starttls in [true, false] {
        let (server, url) = tls_server(starttls, None).await;
        let refusal = Session::connect(&relay(&url))
            .await
            .map(|_| ())
            .unwrap_err();
        assert_eq!(refusal.phase, Phase::Tls, "{refusal}");
        assert_eq!(server.commands("MAIL"), 0);
    }
    // STARTTLS is not offered, as if stripped by a man in the middle.
    let server = SmtpServer::start().await;
    let url = format!("smtp+starttls://localhost:{}", server.port());
    let refusal = Session::connect(&trusting(relay(&url)))
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(refusal.phase, Phase::Tls, "{refusal}");
    assert_eq!(server.commands("MAIL"), 0);
}

#[tokio::test]
async fn a_certificate_that_is_not_good_is_refused_in_clear_words() {
    for (pem, words) in [
        (
            &include_bytes!("support/tls/wrong-name.pem")[..],
            "the certificate is for another name than localhost",
        ),
        (
            include_bytes!("support/tls/expired.pem"),
            "the certificate has expired: that of localhost",
        ),
        (
            include_bytes!("support/tls/self-signed.pem"),
            "nobody whom this machine trusts has signed the certificate of localhost",
        ),
    ] {
        for starttls in [true, false] {
            let server = SmtpServer::offering(Offers {
                starttls: starttls.then(|| acceptor_with(pem)),
                implicit_tls: (!starttls).then(|| acceptor_with(pem)),
                ..Offers::default()
            })
            .await;
            let scheme = if starttls { "smtp+starttls" } else { "smtps" };
            let url = format!("{scheme}://localhost:{}", server.port());
            let refusal = Session::connect(&trusting(relay(&url)))
                .await
                .map(|_| ())
                .unwrap_err();
            assert_eq!(refusal.phase, Phase::Tls);
            assert!(refusal.to_string().contains(words), "{refusal}");
            assert_eq!((server.commands("MAIL"), server.commands("AUTH")), (0, 0));
        }
    }
}

#[tokio::test]
async fn words_injected_before_the_handshake_are_not_believed() {
    let (_server, url) = tls_server(true, Some("250-evil\r\n250 AUTH PLAIN")).await;
    let refusal = Session::connect(&trusting(relay(&url)))
        .await
        .map(|_| ())
        .unwrap_err();
    assert_eq!(refusal.phase, Phase::Tls, "{refusal}");
}
