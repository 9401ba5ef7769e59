//! The settings of a relay: the server, the protection of the channel, and the time-outs.

use std::{sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore};

/// The protection of the channel. There is no opportunistic mode, because a downgrade would go unnoticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Clear text: a relay on this machine or a private network.
    None,
    /// `STARTTLS` (RFC 3207), required: a server that does not offer it is not used.
    StartTls,
    /// TLS from the first byte (RFC 8314), usually port 465.
    Implicit,
}

/// The credentials for `AUTH`. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Login(…)")
    }
}

/// The time-outs of each step. The defaults are those of RFC 5321 §4.5.3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// TCP connect and TLS handshake, each.
    pub connect: Duration,
    /// The greeting, `EHLO` and `AUTH`.
    pub greeting: Duration,
    /// `MAIL` and `RCPT`.
    pub command: Duration,
    /// `DATA` until the `354`.
    pub data: Duration,
    /// From the final dot to the reply. A shorter time-out causes duplicates, because the server may be about to say
    /// 250.
    pub dot: Duration,
    /// For the reply of a server that refused to read the whole message, or did not reply in time.
    pub last_words: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Self {
            connect: Duration::from_secs(30),
            greeting: minutes(5),
            command: minutes(5),
            data: minutes(2),
            dot: minutes(10),
            last_words: Duration::from_secs(1),
        }
    }
}

impl Patience {
    /// The same time-out for every step, but the default for the last words.
    #[must_use]
    pub fn of(limit: Duration) -> Self {
        Self {
            connect: limit,
            greeting: limit,
            command: limit,
            data: limit,
            dot: limit,
            ..Self::default()
        }
    }
}

/// When a connection is closed and replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recycle {
    /// Mails on one connection; many servers close it at 100.
    pub mails: u32,
    /// Age of the connection.
    pub age: Duration,
    /// Consecutive refusals; Postfix replies 421 after 20 errors.
    pub refusals: u32,
}

impl Default for Recycle {
    fn default() -> Self {
        Self {
            mails: 100,
            age: Duration::from_secs(300),
            refusals: 8,
        }
    }
}

/// A mail server that relays our mails.
#[derive(Clone, Debug)]
pub struct Relay {
    /// Host name (also the name its certificate must bear) or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Protection of the channel.
    pub tls: Tls,
    /// Credentials, if the relay requires them.
    pub login: Option<Login>,
    /// The name we give in `EHLO`: a fully qualified domain name of ours (RFC 5321 §4.1.4).
    pub hello: String,
    /// Time-outs.
    pub patience: Patience,
    /// The limits on the life of a connection.
    pub recycle: Recycle,
    /// The trusted certificates for TLS.
    pub trust: Arc<ClientConfig>,
}

/// The certificates that this machine trusts (`SSL_CERT_FILE` is honoured), with aws-lc-rs.
///
/// # Errors
/// If the crypto provider does not support the protocol versions, which would be a defect of the build.
pub fn trust_of_this_machine() -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs);
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
