//! Relays and recipient domains: the tables below `[mail]`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{ConfigError, Mail};
use crate::types::Secret;

/// `[[mail.relays]]`: one mail server that takes our mails.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relay {
    /// Its name on the queue page and in the daily counts; host and port if empty.
    #[serde(default)]
    pub name: String,
    /// As `mail.smtp_url`.
    pub url: Secret,
    /// Its share of the mails, relative to the other relays'.
    #[serde(default = "one")]
    pub weight: u32,
    /// Connections open at the same time; defaults to `mail.connections`.
    pub connections: Option<u32>,
    /// Mails sent over one connection; defaults to `mail.mails_per_connection`.
    pub mails_per_connection: Option<u32>,
    /// Mails a second over all connections; 0: no limit.
    #[serde(default)]
    pub per_second: u32,
    /// Mails a day (UTC); 0: no limit.
    #[serde(default)]
    pub per_day: u64,
    /// Limits a new relay to few mails a day at first.
    pub warm_up: Option<WarmUp>,
}

/// `warm_up = { start = "2026-12-01", mails = 1000, growth = 2.0 }`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarmUp {
    /// The first day (UTC).
    pub start: String,
    /// Mails on the first day.
    pub mails: u64,
    /// The factor from one day to the next; at most 2.
    #[serde(default = "twice")]
    pub growth: f64,
}

/// `[[mail.domains]]`: limits for recipients at one provider.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Domain {
    /// The name of a built-in provider (google, microsoft, yahoo, …) whose limits are overridden, or of a new one.
    pub name: String,
    /// The recipients' domains; `yahoo.*` stands for yahoo.com, yahoo.co.uk and so on. If empty, the built-in ones.
    #[serde(default)]
    pub domains: Vec<String>,
    /// Mails to it in flight at the same time; 0: no limit.
    pub connections: Option<u32>,
    /// Mails to it a second; 0: no limit.
    pub per_second: Option<u32>,
}

fn one() -> u32 {
    1
}

fn twice() -> f64 {
    2.0
}

impl WarmUp {
    /// The first day as days since 1970-01-01, or `None` if it is not a date.
    #[must_use]
    pub fn first_day(&self) -> Option<i64> {
        let date: jiff::civil::Date = self.start.parse().ok()?;
        let epoch = jiff::civil::Date::constant(1970, 1, 1);
        Some(i64::from(date.since(epoch).ok()?.get_days()))
    }
}

impl Mail {
    /// The relays: from the tables, or else from `smtp_url` (several URLs, separated by commas, have equal
    /// weights).
    #[must_use]
    pub fn all_relays(&self) -> Vec<Relay> {
        if !self.relays.is_empty() {
            return self.relays.clone();
        }
        let urls = urls(self.smtp_url.expose());
        urls.map(|url| Relay::at(Secret::new(url))).collect()
    }

    /// The name of the setting that defines relay number `index` of [`Mail::all_relays`].
    #[must_use]
    pub fn relay_setting(&self, index: usize) -> String {
        match self.relays.get(index) {
            None => "mail.smtp_url".to_owned(),
            Some(relay) if relay.name.is_empty() => format!("mail.relays[{index}]"),
            Some(relay) => format!("mail.relays.{}", relay.name),
        }
    }

    pub(super) fn check_tables(&self) -> Result<(), ConfigError> {
        if !self.relays.is_empty() && !self.smtp_url.is_empty() {
            return Err(ConfigError::new(
                "mail.relays",
                "mail.smtp_url is set too; only one of the two is expected",
            ));
        }
        let mut names = BTreeSet::new();
        for (index, relay) in self.relays.iter().enumerate() {
            relay.check(&self.relay_setting(index))?;
            if !relay.name.is_empty() && !names.insert(&relay.name) {
                let problem = "another relay has this name; a unique name is expected";
                return Err(ConfigError::new(self.relay_setting(index), problem));
            }
        }
        let mut names = BTreeSet::new();
        for (index, domain) in self.domains.iter().enumerate() {
            let setting = format!("mail.domains[{index}]");
            if domain.name.is_empty() || !names.insert(&domain.name) {
                let problem = "is empty or already used; a unique name is expected";
                return Err(ConfigError::new(format!("{setting}.name"), problem));
            }
            for pattern in &domain.domains {
                let bare = pattern.strip_suffix(".*").unwrap_or(pattern);
                let known = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-');
                if bare.is_empty() || !bare.chars().all(known) {
                    return Err(ConfigError::new(
                        format!("{setting}.domains"),
                        format!("contains \"{pattern}\"; a domain or \"name.*\" is expected"),
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Relay {
    /// A relay of whose table only the URL is written.
    #[must_use]
    pub fn at(url: Secret) -> Self {
        Self {
            name: String::new(),
            url,
            weight: one(),
            connections: None,
            mails_per_connection: None,
            per_second: 0,
            per_day: 0,
            warm_up: None,
        }
    }

    fn check(&self, setting: &str) -> Result<(), ConfigError> {
        let connections = u64::from(self.connections.unwrap_or(1));
        let mails = u64::from(self.mails_per_connection.unwrap_or(1));
        for (key, value, low, high) in [
            ("weight", u64::from(self.weight), 1, 1_000),
            ("connections", connections, 1, 500),
            ("mails_per_connection", mails, 1, 1_000_000),
            ("per_second", u64::from(self.per_second), 0, 100_000),
        ] {
            if value < low || value > high {
                return Err(ConfigError::new(
                    format!("{setting}.{key}"),
                    format!("is {value}; a number between {low} and {high} is expected"),
                ));
            }
        }
        let Some(warm_up) = &self.warm_up else {
            return Ok(());
        };
        let problem = if warm_up.first_day().is_none() {
            ("start", "a date like \"2026-12-01\" is expected")
        } else if warm_up.mails == 0 {
            ("mails", "at least one mail on the first day is expected")
        } else if !(1.0..=2.0).contains(&warm_up.growth) {
            ("growth", "a number between 1.0 and 2.0 is expected")
        } else {
            return Ok(());
        };
        Err(ConfigError::new(
            format!("{setting}.warm_up.{}", problem.0),
            problem.1,
        ))
    }
}

/// Splits a list of URLs at commas that precede a scheme, because a password may contain commas.
fn urls(list: &str) -> impl Iterator<Item = String> {
    let mut urls: Vec<String> = Vec::new();
    for piece in list.split(',') {
        match urls.last_mut() {
            Some(url) if !piece.trim_start().starts_with("smtp") => {
                url.push(',');
                url.push_str(piece);
            }
            _ => urls.push(piece.to_owned()),
        }
    }
    urls.into_iter()
        .map(|url| url.trim().trim_end_matches(',').to_owned())
        .filter(|url| !url.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_told_apart_and_passwords_keep_their_commas() {
        let split = |list| urls(list).collect::<Vec<_>>();
        assert_eq!(split(""), [""; 0]);
        assert_eq!(split("smtp://a"), ["smtp://a"]);
        assert_eq!(split("smtp://a, smtps://b,"), ["smtp://a", "smtps://b"]);
        assert_eq!(
            split("smtps://u:p,w@a,smtp://b"),
            ["smtps://u:p,w@a", "smtp://b"]
        );
    }

    #[test]
    fn a_date_is_a_day() {
        let warm_up = |start: &str| WarmUp {
            start: start.to_owned(),
            mails: 1,
            growth: 2.0,
        };
        assert_eq!(warm_up("1970-01-02").first_day(), Some(1));
        assert_eq!(warm_up("2026-12-01").first_day(), Some(20_788));
        assert_eq!(warm_up("soon").first_day(), None);
    }
}
