//! The typed settings. Their meaning and units are documented in `reference.toml`.

use std::borrow::Cow;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, percent_encode};
use serde::{Deserialize, Serialize};

use super::{Domain, Relay};
use crate::types::Secret;

/// The whole configuration, validated; `reference.toml` documents every field.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub data_dir: PathBuf,
    pub secret_key: Secret,
    pub secret_key_file: String,
    pub http: Http,
    pub site: Site,
    pub database: Database,
    pub mail: Mail,
    pub polls: Polls,
    pub subscriptions: Subscriptions,
    pub limits: Limits,
    pub log: Log,
}

/// `[http]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    #[serde(deserialize_with = "bind")]
    pub bind: SocketAddr,
    pub public_url: String,
    #[serde(deserialize_with = "networks")]
    pub trusted_proxies: Vec<IpNet>,
    pub embed_origins: Vec<String>,
    pub max_body_bytes: u64,
    pub timeout_seconds: u64,
}

/// `[database]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    pub url: Secret,
    pub max_connections: u32,
}

/// `[mail]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    #[serde(deserialize_with = "transport")]
    pub transport: Transport,
    pub allow_capture: bool,
    pub smtp_url: Secret,
    pub relays: Vec<Relay>,
    pub domains: Vec<Domain>,
    pub connections: u32,
    pub lease_seconds: u64,
    pub mails_per_connection: u32,
    #[serde(deserialize_with = "in_doubt")]
    pub in_doubt: InDoubt,
    pub hello_name: String,
    pub final_dot_timeout_seconds: u64,
    pub command_timeout_seconds: u64,
    pub retry_hours: u64,
    pub undo_seconds: u64,
    pub templates_dir: String,
    pub dns_server: String,
    pub bounce_domain: String,
}

/// `[polls]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Polls {
    pub queue: usize,
    pub proof_work: u64,
    pub seal_days: u64,
}

/// `[subscriptions]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscriptions {
    pub confirm_days: u64,
    pub confirm_pause_minutes: u64,
    pub confirm_per_day: u32,
}

/// `[limits]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub subscriptions_per_minute: u32,
    pub sign_ins_per_minute: u32,
    pub api_per_minute: u32,
    pub viewers_per_network: u32,
}

/// `[log]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    #[serde(deserialize_with = "log_format")]
    pub format: LogFormat,
    pub filter: String,
}

/// The publisher, as readers see it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "reference.toml documents them")]
pub struct Site {
    pub name: String,
    pub imprint_url: String,
    pub privacy_url: String,
}

/// How mails are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// To a relay.
    Smtp,
    /// Into the database, shown at `/mailbox`.
    Mailbox,
    /// Into files below the data directory.
    File,
}

/// What to do with a mail when a crash left open whether it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InDoubt {
    /// It is sent again with the same Message-ID.
    Resend,
    /// It stays in the state unknown until a person decides.
    Hold,
}

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Mail {
    /// How long a lease lasts without a heartbeat.
    #[must_use]
    pub fn lease(&self) -> Duration {
        Duration::from_secs(self.lease_seconds)
    }

    /// How long a deferred mail is retried.
    #[must_use]
    pub fn retries(&self) -> Duration {
        Duration::from_secs(self.retry_hours * 3_600)
    }
}

impl Config {
    /// The origin that readers use, without a trailing slash: `public_url`, or the bound address if that is not
    /// set.
    #[must_use]
    pub fn origin(&self) -> Cow<'_, str> {
        if self.http.public_url.is_empty() {
            format!("http://{}", self.http.bind).into()
        } else {
            (&self.http.public_url).into()
        }
    }

    /// Whether readers connect over TLS, so that cookies can be `__Host-` and `Secure`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.http.public_url.starts_with("https://")
    }

    /// The host of [`Config::origin`], without the port. It is the domain of our Message-IDs.
    #[must_use]
    pub fn host(&self) -> String {
        let origin = self.origin();
        let host = origin.split("://").nth(1).unwrap_or("localhost");
        if let Some(v6) = host.strip_prefix('[') {
            return v6.split(']').next().unwrap_or("localhost").into();
        }
        host.split(':').next().unwrap_or("localhost").into()
    }

    /// The public host, if it is an IP address and not a name.
    #[must_use]
    pub fn host_address(&self) -> Option<IpAddr> {
        self.host().parse().ok()
    }

    /// Whether only this machine can reach the server, as far as the settings tell: it binds to and links to
    /// loopback.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback_host(&self.host()) && self.http.bind.ip().is_loopback()
    }

    /// The domain for identifiers in mails: the public host, or `localhost` if that is an IP address (RFC 2919 §3).
    #[must_use]
    pub fn domain(&self) -> String {
        match self.host_address() {
            Some(_) => "localhost".into(),
            None => self.host(),
        }
    }

    /// The name in our `EHLO`: the configured one, or else the public host; an IP address is written as in RFC 5321
    /// §4.1.3.
    #[must_use]
    pub fn hello_name(&self) -> String {
        match (self.mail.hello_name.as_str(), self.host_address()) {
            ("", None) => self.host(),
            ("", Some(IpAddr::V4(address))) => format!("[{address}]"),
            ("", Some(IpAddr::V6(address))) => format!("[IPv6:{address}]"),
            (name, _) => name.into(),
        }
    }

    /// The database URL, with a relative SQLite path resolved against the data directory.
    #[must_use]
    pub fn database_url(&self) -> Secret {
        let Some(file) = self.database_file() else {
            return self.database.url.clone();
        };
        let url = self.database.url.expose();
        let parameters = url.find('?').map_or("", |at| &url[at..]);
        let file = sqlite_url(&file);
        Secret::new(format!("{}{parameters}", file.expose()))
    }

    /// The file of a SQLite database.
    #[must_use]
    pub fn database_file(&self) -> Option<PathBuf> {
        let path = self.database.url.expose().strip_prefix("sqlite:")?;
        let path = path.strip_prefix("//").unwrap_or(path);
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        let path: Vec<u8> = percent_decode_str(path).collect();
        Some(self.data_dir.join(OsString::from_vec(path)))
    }

    /// The size of the connection pool: as configured, or the default for the database. A SQLite connection costs
    /// about 1.4 MB.
    #[must_use]
    pub fn database_connections(&self) -> u32 {
        match (self.database.max_connections, self.database_file()) {
            (0, Some(_)) => 4,
            (0, None) => 8,
            (set, _) => set,
        }
    }

    /// The name server to query; `None` for those of this machine.
    #[must_use]
    pub fn name_server(&self) -> Option<SocketAddr> {
        let text = &self.mail.dns_server;
        let with_port = |ip| SocketAddr::new(ip, 53);
        text.parse()
            .ok()
            .or_else(|| text.parse::<IpAddr>().ok().map(with_port))
    }

    /// How long handling a request may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.http.timeout_seconds)
    }
}

fn bind<'de, D: serde::Deserializer<'de>>(d: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(d)?;
    text.parse().map_err(|_| {
        serde::de::Error::custom(format!(
            "is \"{text}\"; an address and port like 127.0.0.1:8080 is expected"
        ))
    })
}

fn networks<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Vec<IpNet>, D::Error> {
    Vec::<String>::deserialize(d)?
        .iter()
        .map(|text| {
            text.parse()
                .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from))
                .map_err(|_| {
                    serde::de::Error::custom(format!(
                        "contains \"{text}\"; a network like 10.0.0.0/8 is expected"
                    ))
                })
        })
        .collect()
}

fn word<'de, D: serde::Deserializer<'de>, T: Copy>(
    d: D,
    words: &[(&str, T)],
) -> Result<T, D::Error> {
    let text = String::deserialize(d)?;
    words
        .iter()
        .find(|(word, _)| *word == text)
        .map(|(_, value)| *value)
        .ok_or_else(|| {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            serde::de::Error::custom(format!("is \"{text}\"; {} is expected", words.join(" or ")))
        })
}

fn transport<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Transport, D::Error> {
    word(
        d,
        &[
            ("smtp", Transport::Smtp),
            ("mailbox", Transport::Mailbox),
            ("file", Transport::File),
        ],
    )
}

fn in_doubt<'de, D: serde::Deserializer<'de>>(d: D) -> Result<InDoubt, D::Error> {
    word(d, &[("resend", InDoubt::Resend), ("hold", InDoubt::Hold)])
}

fn log_format<'de, D: serde::Deserializer<'de>>(d: D) -> Result<LogFormat, D::Error> {
    word(d, &[("text", LogFormat::Text), ("json", LogFormat::Json)])
}

/// Whether a host, as in a URL or without its brackets, is this machine's own name or address.
#[must_use]
pub fn is_loopback_host(host: &str) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    match bare.unwrap_or(host).parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost"),
    }
}

/// The URL of a SQLite file of any name: `?` would begin the parameters, and `%` an escape.
#[must_use]
pub fn sqlite_url(file: &Path) -> Secret {
    const SPECIAL: &AsciiSet = &CONTROLS.add(b'%').add(b'?').add(b'#');
    let path = percent_encode(file.as_os_str().as_bytes(), SPECIAL);
    Secret::new(format!("sqlite:{path}"))
}
