//! Recipients' providers: each has its own limits, and none holds up another.
//!
//! A lane never waits for a provider. Before a mail it asks the provider's [`Group`]; if that is full, at its rate
//! limit or paused, the recipient is put aside and the lane goes on. The commit that ends the batch puts these
//! recipients into a batch of this provider with its own due time, without spending an attempt; lanes take such a batch
//! only when the provider has room.
//!
//! Limits come from the operator's `[[mail.domains]]` or else a built-in table of the large providers, and adapt: a
//! throttling reply halves the number of mails in flight and causes a pause; successes raise it by one per round. While
//! other work waits, a provider whose mails take much longer than the quickest one's gets one lane for half of the
//! time, so that a tarpit costs another issue a twentieth of ten lanes.
//!
//! `group`: one provider. `providers`: which one a domain belongs to, and its limits.

mod group;
mod providers;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use self::providers::Providers;
use super::status::DomainStatus;
use crate::{config, types::UnixMillis};

pub(super) use group::{Crowd, Group, Ticket};

/// Beyond this number of domains, those without any state worth keeping are forgotten.
const DOMAINS: usize = 20_000;

/// All providers that this process has sent to.
#[derive(Debug)]
pub(super) struct Domains {
    providers: Providers,
    known: Mutex<Known>,
    quickest: Mutex<Quickest>,
}

/// The mean times of the two quickest providers, so that the quickest is compared with the second and not with itself.
#[derive(Clone, Debug)]
struct Quickest {
    name: String,
    /// Mean seconds per mail; infinite if there is no provider to compare with.
    mean: f64,
    second: f64,
}

impl Default for Quickest {
    fn default() -> Self {
        Self {
            name: String::new(),
            mean: f64::INFINITY,
            second: f64::INFINITY,
        }
    }
}

#[derive(Debug, Default)]
struct Known {
    by_domain: HashMap<String, Arc<Group>>,
    by_name: HashMap<String, Arc<Group>>,
}

impl Domains {
    pub(super) fn new(settings: &[config::Domain]) -> Self {
        Self {
            providers: Providers::of(settings),
            known: Mutex::default(),
            quickest: Mutex::default(),
        }
    }

    /// The provider of an address, which must be in lower case.
    pub(super) fn of(&self, address: &str) -> Arc<Group> {
        let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
        let mut known = self.lock();
        if let Some(group) = known.by_domain.get(domain) {
            return Arc::clone(group);
        }
        let (name, limits) = self.providers.find(domain);
        let group = known.named(name, limits);
        known
            .by_domain
            .insert(domain.to_owned(), Arc::clone(&group));
        group
    }

    /// The provider with this name.
    pub(super) fn named(&self, name: &str) -> Arc<Group> {
        self.lock().named(name, self.providers.named(name))
    }

    /// What a lane has to know about other work before it sends to this provider.
    pub(super) fn crowd(&self, name: &str, others: bool) -> Crowd {
        let quickest = self.quickest.lock().unwrap_or_else(PoisonError::into_inner);
        let quickest = if quickest.name == name {
            quickest.second
        } else {
            quickest.mean
        };
        Crowd { quickest, others }
    }

    /// Compares the providers' times, and forgets some providers if there are too many.
    pub(super) fn tick(&self) {
        let now = Instant::now();
        let mut known = self.lock();
        let mut quickest = Quickest::default();
        for group in known.by_name.values() {
            let Some(mean) = group.mean(now) else {
                continue;
            };
            if mean < quickest.mean {
                quickest = Quickest {
                    name: group.name().to_owned(),
                    mean,
                    second: quickest.mean,
                };
            } else {
                quickest.second = quickest.second.min(mean);
            }
        }
        *self.quickest.lock().unwrap_or_else(PoisonError::into_inner) = quickest;
        if known.by_domain.len() > DOMAINS {
            known.by_domain.clear();
            known
                .by_name
                .retain(|_, group| Arc::strong_count(group) > 1 || !group.is_unremarkable(now));
        }
    }

    /// The providers that are limited now.
    pub(super) fn status(&self, at: UnixMillis, others: bool) -> Vec<DomainStatus> {
        let now = Instant::now();
        let groups: Vec<_> = self.lock().by_name.values().cloned().collect();
        let mut held_up: Vec<_> = groups
            .iter()
            .filter_map(|group| group.status(now, at, self.crowd(group.name(), others)))
            .collect();
        held_up.sort_by(|a, b| a.name.cmp(&b.name));
        held_up
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn named(&mut self, name: &str, limits: providers::Limits) -> Arc<Group> {
        if let Some(group) = self.by_name.get(name) {
            return Arc::clone(group);
        }
        let group = Arc::new(Group::new(name, limits));
        self.by_name.insert(name.to_owned(), Arc::clone(&group));
        group
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_of_one_provider_share_its_limits() {
        let domains = Domains::new(&[]);
        let one = domains.of("ada@yahoo.co.uk");
        assert!(Arc::ptr_eq(&one, &domains.of("bob@ymail.com")));
        assert!(Arc::ptr_eq(&one, &domains.named("yahoo")));
        assert!(!Arc::ptr_eq(&one, &domains.of("bob@example.org")));
        assert_eq!(domains.of("bob@example.org").name(), "example.org");
    }

    #[test]
    fn nobody_is_slow_without_another_to_compare_with() {
        let domains = Domains::new(&[]);
        let began = Instant::now();
        let after = |millis| began + std::time::Duration::from_millis(millis);
        let hear = |name: &str, millis| {
            let crowd = domains.crowd(name, true);
            domains.named(name).heard(began, after(millis), true, crowd);
        };
        let slow = |name: &str| domains.named(name).is_slow(domains.crowd(name, true));
        hear("one.example", 5);
        domains.tick();
        hear("one.example", 6_000);
        assert!(!slow("one.example"), "its own past is no measure");
        hear("two.example", 20);
        domains.tick();
        assert!(slow("one.example") && !slow("two.example"));
        hear("three.example", 3_000);
        assert!(slow("three.example"));
    }

    #[test]
    fn many_domains_are_forgotten_unless_there_is_something_to_say() {
        let domains = Domains::new(&[]);
        for n in 0..=DOMAINS {
            domains.of(&format!("a@d{n}.example"));
        }
        let random = crate::types::Random::seeded(1);
        domains
            .named("d7.example")
            .throttled(Instant::now(), &random, "450 slow down");
        domains.tick();
        assert_eq!(domains.lock().by_name.len(), 1);
        assert_eq!(domains.status(UnixMillis(0), false).len(), 1);
    }
}
