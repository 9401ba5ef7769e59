//! The typed settings. Their meaning and units stand in `reference.toml`.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::{ConfigError, Domain, Relay};
use crate::types::{EmailAddress, Secret};

/// The whole configuration, validated; `reference.toml` documents every field.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub data_dir: PathBuf,
    pub secret_key: Secret,
    pub secret_key_file: String,
    pub http: Http,
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
}

/// `[log]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    #[serde(deserialize_with = "log_format")]
    pub format: LogFormat,
    pub filter: String,
}

/// Where mails go.
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

/// What happens to a mail whose fate a crash left open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum InDoubt {
    /// It is sent again with the same Message-ID.
    Resend,
    /// It waits in state unknown until a person decides.
    Hold,
}

/// How log lines look.
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
}

impl Config {
    /// The origin readers use: `public_url`, or the bound address while none is set. No trailing slash.
    #[must_use]
    pub fn origin(&self) -> String {
        if self.http.public_url.is_empty() {
            format!("http://{}", self.http.bind)
        } else {
            self.http.public_url.clone()
        }
    }

    /// Whether readers come over TLS, so that cookies can be `__Host-` and `Secure`.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.http.public_url.starts_with("https://")
    }

    /// The host of [`Config::origin`], without a port: the domain of our Message-IDs.
    #[must_use]
    pub fn host(&self) -> String {
        let origin = self.origin();
        let host = origin.split("://").nth(1).unwrap_or("localhost");
        if let Some(v6) = host.strip_prefix('[') {
            return v6.split(']').next().unwrap_or("localhost").into();
        }
        host.split(':').next().unwrap_or("localhost").into()
    }

    /// The database URL with SQLite paths made relative to the data directory.
    #[must_use]
    pub fn database_url(&self) -> Secret {
        match self.database.url.expose().strip_prefix("sqlite:") {
            Some(path) => {
                let path = path.strip_prefix("//").unwrap_or(path);
                Secret::new(format!("sqlite:{}", self.data_dir.join(path).display()))
            }
            None => self.database.url.clone(),
        }
    }

    /// The name server to ask; none: those of this machine.
    #[must_use]
    pub fn name_server(&self) -> Option<SocketAddr> {
        let text = &self.mail.dns_server;
        let with_port = |ip| SocketAddr::new(ip, 53);
        text.parse()
            .ok()
            .or_else(|| text.parse::<IpAddr>().ok().map(with_port))
    }

    /// How long a request may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.http.timeout_seconds)
    }

    pub(super) fn checked(mut self) -> Result<Self, ConfigError> {
        if !self.secret_key_file.is_empty() {
            let text = std::fs::read_to_string(Path::new(&self.secret_key_file)).map_err(|e| {
                ConfigError::new(
                    "secret_key_file",
                    format!("{} cannot be read: {e}", self.secret_key_file),
                )
            })?;
            self.secret_key = Secret::new(text.trim());
        }
        let url = self.http.public_url.trim_end_matches('/').to_string();
        let host = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"));
        if !url.is_empty()
            && host.is_none_or(|h| h.is_empty() || h.contains(['/', '?', '#', '@', ' ']))
        {
            return Err(ConfigError::new(
                "http.public_url",
                format!("is \"{url}\"; http:// or https:// and a host without a path is expected"),
            ));
        }
        self.http.public_url = url;
        self.mail.check_tables()?;
        let database = self.database.url.expose();
        if !["sqlite:", "postgres://", "postgresql://"]
            .iter()
            .any(|scheme| database.starts_with(scheme))
        {
            return Err(ConfigError::new(
                "database.url",
                "sqlite:PATH or postgres://… is expected",
            ));
        }
        if !self.mail.bounce_domain.is_empty() {
            let address = format!("bounce@{}", self.mail.bounce_domain);
            let address = EmailAddress::parse(&address).map_err(|_| {
                ConfigError::new(
                    "mail.bounce_domain",
                    format!(
                        "is \"{}\"; a domain like bounces.news.example is expected",
                        self.mail.bounce_domain
                    ),
                )
            })?;
            self.mail.bounce_domain = address.domain().to_owned();
        }
        if !self.mail.dns_server.is_empty() && self.name_server().is_none() {
            return Err(ConfigError::new(
                "mail.dns_server",
                format!(
                    "is \"{}\"; an address like 192.0.2.53 or 127.0.0.1:5353 is expected",
                    self.mail.dns_server
                ),
            ));
        }
        for (setting, value, low, high) in [
            ("mail.connections", u64::from(self.mail.connections), 1, 500),
            ("mail.lease_seconds", self.mail.lease_seconds, 2, 600),
            (
                "mail.mails_per_connection",
                u64::from(self.mail.mails_per_connection),
                1,
                1_000_000,
            ),
            (
                "mail.final_dot_timeout_seconds",
                self.mail.final_dot_timeout_seconds,
                1,
                3_600,
            ),
            (
                "mail.command_timeout_seconds",
                self.mail.command_timeout_seconds,
                1,
                3_600,
            ),
            ("mail.retry_hours", self.mail.retry_hours, 0, 24 * 30),
            ("mail.undo_seconds", self.mail.undo_seconds, 0, 3_600),
            (
                "database.max_connections",
                u64::from(self.database.max_connections),
                2,
                500,
            ),
            (
                "http.max_body_bytes",
                self.http.max_body_bytes,
                4_096,
                64 << 20,
            ),
            ("http.timeout_seconds", self.http.timeout_seconds, 1, 3_600),
            ("polls.queue", self.polls.queue as u64, 1, 1 << 20),
            ("polls.proof_work", self.polls.proof_work, 0, 10_000_000),
            ("polls.seal_days", self.polls.seal_days, 1, 365),
            (
                "subscriptions.confirm_days",
                self.subscriptions.confirm_days,
                1,
                365,
            ),
            (
                "subscriptions.confirm_pause_minutes",
                self.subscriptions.confirm_pause_minutes,
                0,
                1_440,
            ),
            (
                "subscriptions.confirm_per_day",
                u64::from(self.subscriptions.confirm_per_day),
                1,
                1_000,
            ),
            (
                "limits.subscriptions_per_minute",
                u64::from(self.limits.subscriptions_per_minute),
                1,
                1 << 20,
            ),
            (
                "limits.sign_ins_per_minute",
                u64::from(self.limits.sign_ins_per_minute),
                1,
                1 << 20,
            ),
            (
                "limits.api_per_minute",
                u64::from(self.limits.api_per_minute),
                1,
                1 << 24,
            ),
        ] {
            if value < low || value > high {
                return Err(ConfigError::new(
                    setting,
                    format!("is {value}; a number between {low} and {high} is expected"),
                ));
            }
        }
        Ok(self)
    }
}

fn bind<'de, D: serde::Deserializer<'de>>(d: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(d)?;
    text.parse().map_err(|_| {
        serde::de::Error::custom(format!(
            "http.bind is \"{text}\"; an address and port like 127.0.0.1:8080 is expected"
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
                        "http.trusted_proxies holds \"{text}\"; a network like 10.0.0.0/8 is expected"
                    ))
                })
        })
        .collect()
}

fn word<'de, D: serde::Deserializer<'de>, T: Copy>(
    d: D,
    setting: &str,
    words: &[(&str, T)],
) -> Result<T, D::Error> {
    let text = String::deserialize(d)?;
    words
        .iter()
        .find(|(word, _)| *word == text)
        .map(|(_, value)| *value)
        .ok_or_else(|| {
            let words: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            serde::de::Error::custom(format!(
                "{setting} is \"{text}\"; {} is expected",
                words.join(" or ")
            ))
        })
}

fn transport<'de, D: serde::Deserializer<'de>>(d: D) -> Result<Transport, D::Error> {
    word(
        d,
        "mail.transport",
        &[
            ("smtp", Transport::Smtp),
            ("mailbox", Transport::Mailbox),
            ("file", Transport::File),
        ],
    )
}

fn in_doubt<'de, D: serde::Deserializer<'de>>(d: D) -> Result<InDoubt, D::Error> {
    word(
        d,
        "mail.in_doubt",
        &[("resend", InDoubt::Resend), ("hold", InDoubt::Hold)],
    )
}

fn log_format<'de, D: serde::Deserializer<'de>>(d: D) -> Result<LogFormat, D::Error> {
    word(
        d,
        "log.format",
        &[("text", LogFormat::Text), ("json", LogFormat::Json)],
    )
}
