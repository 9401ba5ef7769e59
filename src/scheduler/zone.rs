//! Time zones by their IANA name.

use std::fmt;

use jiff::tz::{TimeZone, db};

/// A time zone of the IANA database, for example `Europe/Vienna`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    name: String,
    rules: TimeZone,
}

/// The IANA database has no zone with this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not a time zone; use a name such as Europe/Vienna or America/New_York")]
pub struct UnknownZone(String);

impl Zone {
    /// The zone with that name, in any case: `europe/vienna` is `Europe/Vienna`.
    ///
    /// # Errors
    /// [`UnknownZone`] for anything that is not a name in the database. Offsets such as `+02:00` are refused too,
    /// because they do not define clock changes.
    pub fn parse(name: &str) -> Result<Self, UnknownZone> {
        let name = name.trim();
        let refuse = || UnknownZone(name.chars().take(64).collect());
        if name.is_empty() || name.len() > 64 || name.eq_ignore_ascii_case("Etc/Unknown") {
            return Err(refuse());
        }
        let rules = TimeZone::get(name).map_err(|_| refuse())?;
        let name = rules.iana_name().unwrap_or("UTC").to_owned();
        Ok(Self { name, rules })
    }

    /// Coordinated Universal Time.
    pub fn utc() -> Self {
        Self {
            name: "UTC".to_owned(),
            rules: TimeZone::UTC,
        }
    }

    /// The canonical spelling of its name in the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Every name that an editor can choose, sorted, with areas first (`Europe/Vienna`) and then `UTC`. Obsolete
    /// single-word names (`EST5EDT`, `Cuba`) are left out, but [`Zone::parse`] accepts them.
    pub fn names() -> Vec<String> {
        let mut names: Vec<String> = db()
            .available()
            .map(|name| name.as_str().to_owned())
            .filter(|name| {
                name.contains('/') && !name.starts_with("Etc/") && !name.starts_with("SystemV/")
            })
            .collect();
        names.sort_unstable();
        names.push("UTC".to_owned());
        names
    }

    pub(super) fn rules(&self) -> &TimeZone {
        &self.rules
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_canonical_and_unknown_ones_refused() {
        assert_eq!(
            Zone::parse(" europe/vienna ").unwrap().name(),
            "Europe/Vienna"
        );
        assert_eq!(Zone::parse("utc").unwrap().name(), "UTC");
        for bad in [
            "",
            "Mars/Olympus",
            "+02:00",
            "CET-1CEST",
            "Etc/Unknown",
            "../../etc/passwd",
            "a\0b",
            &"x/".repeat(500),
        ] {
            assert!(Zone::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_name_offered_can_be_parsed() {
        let names = Zone::names();
        assert!(names.len() > 400, "{}", names.len());
        for name in names {
            assert_eq!(Zone::parse(&name).unwrap().name(), name);
        }
    }
}
