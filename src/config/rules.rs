//! Rules between settings, and the normalisation of their values after loading.

use std::path::Path;

use url::Url;

use super::{Config, ConfigError};
use crate::types::{EmailAddress, Secret};

impl Config {
    pub(super) fn checked(mut self) -> Result<Self, ConfigError> {
        self.read_secret_key()?;
        self.check_public_url()?;
        self.check_embed_origins()?;
        self.check_site()?;
        self.mail.check_tables()?;
        self.check_database()?;
        self.check_bounce_domain()?;
        self.check_name_server()?;
        self.check_hello_name()?;
        self.check_ranges()?;
        Ok(self)
    }

    fn read_secret_key(&mut self) -> Result<(), ConfigError> {
        let file = &self.secret_key_file;
        if file.is_empty() {
            return Ok(());
        }
        if !self.secret_key.is_empty() {
            let problem = "is set, and so is secret_key; set one of them, so that it is certain which key counts";
            return Err(ConfigError::new("secret_key_file", problem));
        }
        let text = std::fs::read_to_string(Path::new(file)).map_err(|error| {
            ConfigError::new("secret_key_file", format!("{file} cannot be read: {error}"))
        })?;
        self.secret_key = Secret::new(text.trim());
        Ok(())
    }

    fn check_public_url(&mut self) -> Result<(), ConfigError> {
        let url = &mut self.http.public_url;
        if url.is_empty() {
            return Ok(());
        }
        *url = origin(url).ok_or_else(|| {
            ConfigError::new(
                "http.public_url",
                format!("is \"{url}\"; http:// or https:// and a host without a path is expected"),
            )
        })?;
        Ok(())
    }

    fn check_embed_origins(&mut self) -> Result<(), ConfigError> {
        for site in &mut self.http.embed_origins {
            if site == "*" {
                continue;
            }
            *site = origin(site).ok_or_else(|| {
                ConfigError::new(
                    "http.embed_origins",
                    format!(
                        "contains \"{site}\"; https:// and a host without a path, or *, is expected"
                    ),
                )
            })?;
        }
        Ok(())
    }

    fn check_site(&self) -> Result<(), ConfigError> {
        let site = &self.site;
        if site.name.chars().any(char::is_control) || site.name.chars().count() > 120 {
            let expected = "has control characters or is longer than 120 characters; a name on one line is expected";
            return Err(ConfigError::new("site.name", expected));
        }
        for (setting, url) in [
            ("site.imprint_url", &site.imprint_url),
            ("site.privacy_url", &site.privacy_url),
        ] {
            let web = Url::parse(url).is_ok_and(|url| ["http", "https"].contains(&url.scheme()));
            if !url.is_empty() && !web {
                return Err(ConfigError::new(
                    setting,
                    format!(
                        "is \"{url}\"; an address like https://news.example/imprint is expected"
                    ),
                ));
            }
        }
        Ok(())
    }

    fn check_database(&self) -> Result<(), ConfigError> {
        let url = self.database.url.expose();
        let schemes = ["sqlite:", "postgres://", "postgresql://"];
        if schemes.iter().any(|scheme| url.starts_with(scheme)) {
            return Ok(());
        }
        // The error does not quote the value: it may hold a password.
        Err(ConfigError::new(
            "database.url",
            "sqlite:PATH or postgres://… is expected",
        ))
    }

    fn check_bounce_domain(&mut self) -> Result<(), ConfigError> {
        let domain = &self.mail.bounce_domain;
        if domain.is_empty() {
            return Ok(());
        }
        let address = EmailAddress::parse(&format!("bounce@{domain}")).map_err(|_| {
            ConfigError::new(
                "mail.bounce_domain",
                format!("is \"{domain}\"; a domain like bounces.news.example is expected"),
            )
        })?;
        self.mail.bounce_domain = address.domain().to_owned();
        Ok(())
    }

    fn check_name_server(&self) -> Result<(), ConfigError> {
        let server = &self.mail.dns_server;
        if server.is_empty() || self.name_server().is_some() {
            return Ok(());
        }
        Err(ConfigError::new(
            "mail.dns_server",
            format!("is \"{server}\"; an address like 192.0.2.53 or 127.0.0.1:5353 is expected"),
        ))
    }

    /// A name as in a URL, or an address in brackets (RFC 5321 §4.1.3): anything else would end in `EHLO` as another
    /// command, or be refused by every relay.
    fn check_hello_name(&self) -> Result<(), ConfigError> {
        let name = self.mail.hello_name.as_str();
        let is_ours = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
        let bare = match name.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').unwrap_or_default(),
            None if name.contains(':') => "",
            None => name,
        };
        let is_name = !bare.is_empty() && bare.len() <= 255 && bare.chars().all(is_ours);
        if name.is_empty() || is_name {
            return Ok(());
        }
        Err(ConfigError::new(
            "mail.hello_name",
            format!("is {name:?}; a name like mx.news.example is expected"),
        ))
    }

    fn check_ranges(&self) -> Result<(), ConfigError> {
        for (setting, value, low, high) in self.ranges() {
            if value < low || value > high {
                return Err(ConfigError::new(
                    setting,
                    format!("is {value}; a number between {low} and {high} is expected"),
                ));
            }
        }
        Ok(())
    }

    /// Settings with a minimum and a maximum.
    #[rustfmt::skip]
    fn ranges(&self) -> [(&'static str, u64, u64, u64); 20] {
        let Self { http, mail, polls, subscriptions, limits, .. } = self;
        // SQLite: one that writes, one for those who read all ballots, and one that is always left to votes.
        let connections = if self.database_file().is_some() { 3 } else { 2 };
        [
            ("http.max_body_bytes", http.max_body_bytes, 4_096, 64 << 20),
            ("http.timeout_seconds", http.timeout_seconds, 1, 3_600),
            ("database.max_connections", self.database_connections().into(), connections, 500),
            ("mail.connections", mail.connections.into(), 1, 500),
            ("mail.mails_per_connection", mail.mails_per_connection.into(), 1, 1_000_000),
            ("mail.lease_seconds", mail.lease_seconds, 2, 600),
            ("mail.command_timeout_seconds", mail.command_timeout_seconds, 1, 3_600),
            ("mail.final_dot_timeout_seconds", mail.final_dot_timeout_seconds, 1, 3_600),
            ("mail.retry_hours", mail.retry_hours, 0, 24 * 30),
            ("mail.undo_seconds", mail.undo_seconds, 0, 3_600),
            ("polls.queue", polls.queue as u64, 1, 1 << 20),
            ("polls.proof_work", polls.proof_work, 0, 10_000_000),
            ("polls.seal_days", polls.seal_days, 1, 365),
            ("subscriptions.confirm_days", subscriptions.confirm_days, 1, 365),
            ("subscriptions.confirm_pause_minutes", subscriptions.confirm_pause_minutes, 0, 1_440),
            ("subscriptions.confirm_per_day", subscriptions.confirm_per_day.into(), 1, 1_000),
            ("limits.subscriptions_per_minute", limits.subscriptions_per_minute.into(), 1, 1 << 20),
            ("limits.sign_ins_per_minute", limits.sign_ins_per_minute.into(), 1, 1 << 20),
            ("limits.api_per_minute", limits.api_per_minute.into(), 1, 1 << 24),
            ("limits.viewers_per_network", limits.viewers_per_network.into(), 1, 1 << 20),
        ]
    }
}

/// A site's origin the way browsers send it in `Origin`: lower case, international names in ASCII, no default port.
fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let nobody = url.username().is_empty() && url.password().is_none();
    let web = ["http", "https"].contains(&url.scheme()) && url.has_host();
    (web && bare && nobody).then(|| url.origin().ascii_serialization())
}
