//! The rules between settings, and what is made of them before anybody reads them.

use std::path::Path;

use super::{Config, ConfigError};
use crate::types::{EmailAddress, Secret};

impl Config {
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
