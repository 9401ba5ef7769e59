//! A client's network, hashed for one day.

use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::hmac;

use super::key::first;
use crate::types::{Random, UnixMillis};

/// A hash of a client's network that is valid for one day in this process and cannot be reversed afterwards: the secret
/// is random, only in memory, and discarded at midnight (UTC).
#[derive(Debug)]
pub struct NetworkOfTheDay {
    random: Random,
    /// The day, and its secret.
    today: Mutex<Option<(i64, Arc<hmac::Key>)>>,
}

const DAY_MS: i64 = 86_400_000;

impl NetworkOfTheDay {
    pub fn new(random: Random) -> Self {
        Self {
            random,
            today: Mutex::default(),
        }
    }

    /// The hash of a client's network for the day of `now` (see [`crate::web::Client::network`]).
    pub fn hash(&self, network: &[u8], now: UnixMillis) -> [u8; 8] {
        first(hmac::sign(&self.of(now.0.div_euclid(DAY_MS)), network))
    }

    /// Forgets the secret of a day that is over; otherwise it would stay until the next visitor comes.
    pub fn forget(&self, now: UnixMillis) {
        let mut today = self.today.lock().unwrap_or_else(PoisonError::into_inner);
        today.take_if(|(day, _)| *day != now.0.div_euclid(DAY_MS));
    }

    fn of(&self, day: i64) -> Arc<hmac::Key> {
        let mut today = self.today.lock().unwrap_or_else(PoisonError::into_inner);
        match &*today {
            Some((of, secret)) if *of == day => Arc::clone(secret),
            _ => {
                let bytes: [u8; 32] = self.random.bytes();
                let secret = Arc::new(hmac::Key::new(hmac::HMAC_SHA256, &bytes));
                *today = Some((day, Arc::clone(&secret)));
                secret
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_forgotten_overnight() {
        let networks = NetworkOfTheDay::new(Random::seeded(3));
        let today = networks.hash(b"\xc0\0\x02", UnixMillis(DAY_MS / 2));
        assert_eq!(today, networks.hash(b"\xc0\0\x02", UnixMillis(DAY_MS - 1)));
        assert_ne!(today, networks.hash(b"\xc0\0\x03", UnixMillis(DAY_MS / 2)));
        networks.forget(UnixMillis(DAY_MS - 1));
        assert_eq!(today, networks.hash(b"\xc0\0\x02", UnixMillis(DAY_MS - 1)));
        assert_ne!(today, networks.hash(b"\xc0\0\x02", UnixMillis(DAY_MS)));
        // Without a visitor, too.
        networks.forget(UnixMillis(DAY_MS * 2));
        assert!(networks.today.lock().expect("a lock").is_none());
    }
}
