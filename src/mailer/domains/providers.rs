//! The provider of a recipient's domain, and its limits: from the operator's table or else the built-in one.

use std::collections::HashMap;

use crate::config;

/// A provider's limits; 0: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Limits {
    /// Mails in flight at the same time.
    pub(super) connections: u32,
    /// Mails per second.
    pub(super) per_second: u32,
}

/// Limits that large providers publish, or that operators of large relays have found.
const BUILT_IN: [(&str, u32, &str); 9] = [
    ("google", 5, "gmail.com googlemail.com google.com"),
    (
        "microsoft",
        5,
        "outlook.* hotmail.* live.* msn.com passport.com windowslive.com",
    ),
    (
        "yahoo",
        5,
        "yahoo.* ymail.com rocketmail.com aol.* aim.com verizon.net myyahoo.com",
    ),
    ("apple", 10, "icloud.com me.com mac.com"),
    ("gmx", 4, "gmx.* web.de mail.com 1und1.de caramail.com"),
    ("orange", 2, "orange.fr wanadoo.fr voila.fr"),
    ("laposte", 2, "laposte.net"),
    ("free", 2, "free.fr aliceadsl.fr libertysurf.fr"),
    ("comcast", 10, "comcast.net xfinity.com"),
];

/// Domains and patterns, looked up without a scan.
#[derive(Debug, Default)]
pub(super) struct Providers {
    list: Vec<(String, Limits)>,
    exact: HashMap<String, usize>,
    /// Patterns for any top-level domain, by their label: `yahoo` for `yahoo.*`.
    first: HashMap<String, usize>,
}

impl Providers {
    pub(super) fn of(settings: &[config::Domain]) -> Self {
        let mut providers = Self::default();
        for (name, connections, domains) in BUILT_IN {
            let limits = Limits {
                connections,
                per_second: 0,
            };
            providers.add(name, limits, domains.split(' '));
        }
        for given in settings {
            let known = providers.list.iter().find(|(name, _)| *name == given.name);
            let mut limits = known.map_or_else(Limits::default, |(_, limits)| *limits);
            limits.connections = given.connections.unwrap_or(limits.connections);
            limits.per_second = given.per_second.unwrap_or(limits.per_second);
            let domains = given.domains.iter().map(String::as_str);
            providers.add(&given.name, limits, domains);
        }
        providers
    }

    fn add<'d>(&mut self, name: &str, limits: Limits, domains: impl Iterator<Item = &'d str>) {
        let known = self.list.iter().position(|(known, _)| known == name);
        let place = known.unwrap_or_else(|| {
            self.list.push((name.to_owned(), limits));
            self.list.len() - 1
        });
        self.list[place].1 = limits;
        for domain in domains {
            let domain = domain.to_lowercase();
            match domain.strip_suffix(".*") {
                Some(label) => self.first.insert(label.to_owned(), place),
                None => self.exact.insert(domain, place),
            };
        }
    }

    /// The provider of a lower-case domain. An unknown domain is a provider of its own, without limits.
    pub(super) fn find<'n>(&'n self, domain: &'n str) -> (&'n str, Limits) {
        let by_label = || {
            let mut ends = domain.match_indices('.').map(|(at, _)| &domain[..at]);
            ends.find_map(|label| self.first.get(label))
        };
        let place = self.exact.get(domain).or_else(by_label);
        match place.and_then(|place| self.list.get(*place)) {
            Some((name, limits)) => (name, *limits),
            None => (domain, Limits::default()),
        }
    }

    /// The limits of a provider, or of a domain that is a provider of its own.
    pub(super) fn named(&self, name: &str) -> Limits {
        let known = self.list.iter().find(|(known, _)| known == name);
        known.map_or_else(|| self.find(name).1, |(_, limits)| *limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(name: &str, domains: &[&str], connections: Option<u32>) -> config::Domain {
        config::Domain {
            name: name.to_owned(),
            domains: domains.iter().map(|d| (*d).to_owned()).collect(),
            connections,
            per_second: None,
        }
    }

    #[test]
    fn domains_find_their_provider_and_the_operator_has_the_last_word() {
        let providers = Providers::of(&[
            given("google", &["paper.example"], Some(20)),
            given("school", &["edu.example.*"], None),
        ]);
        for (domain, name, connections) in [
            ("gmail.com", "google", 20),
            ("paper.example", "google", 20),
            ("yahoo.co.uk", "yahoo", 5),
            ("notyahoo.com", "notyahoo.com", 0),
            ("yahoo", "yahoo", 0),
            ("edu.example.org", "school", 0),
            ("orange.fr", "orange", 2),
            ("example.org", "example.org", 0),
        ] {
            let (found, limits) = providers.find(domain);
            assert_eq!((found, limits.connections), (name, connections), "{domain}");
        }
        assert_eq!(providers.named("google").connections, 20);
        assert_eq!(providers.named("example.org"), Limits::default());
    }
}
