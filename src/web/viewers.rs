//! Limits on responses that last for hours: by network, and in all.
//!
//! Each of them holds an open file. Without a limit, one client could use up those of the process, and then no page
//! could be loaded and no answer be sent any more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Problem;
use super::limits::refused_by;

/// When a refused viewer may try again. Nobody knows when a place will be free.
const AGAIN: Duration = Duration::from_secs(60);

/// The places for viewers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Viewers {
    taken: Arc<Mutex<Taken>>,
    of_network: usize,
    in_all: usize,
}

#[derive(Debug, Default)]
struct Taken {
    networks: HashMap<Vec<u8>, usize>,
    all: usize,
}

/// A viewer's place, which is free again when this is dropped.
#[derive(Debug)]
pub struct Place {
    taken: Arc<Mutex<Taken>>,
    network: Vec<u8>,
}

impl Viewers {
    /// At most `of_network` places for each network, and three of four files that this process may have open: the
    /// others are for pages, answers and mails.
    #[must_use]
    pub fn new(of_network: u32) -> Self {
        let files = rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(1_024, |(soft, _)| soft);
        let in_all = usize::try_from(files / 4 * 3).unwrap_or(usize::MAX);
        Self::of(usize::try_from(of_network).unwrap_or(usize::MAX), in_all)
    }

    fn of(of_network: usize, in_all: usize) -> Self {
        Self {
            taken: Arc::default(),
            of_network,
            in_all,
        }
    }

    /// Takes a place for a client in `network`.
    ///
    /// # Errors
    /// A 429 if none is free.
    pub fn take(&self, network: Vec<u8>) -> Result<Arc<Place>, Problem> {
        let mut taken = lock(&self.taken);
        let here = taken.networks.get(&network).copied().unwrap_or_default();
        if here >= self.of_network || taken.all >= self.in_all {
            refused_by("viewers");
            return Err(Problem::too_many(AGAIN));
        }
        taken.networks.insert(network.clone(), here + 1);
        taken.all += 1;
        Ok(Arc::new(Place {
            taken: Arc::clone(&self.taken),
            network,
        }))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        taken.all -= 1;
        if let Some(here) = taken.networks.get_mut(&self.network) {
            *here -= 1;
            if *here == 0 {
                taken.networks.remove(&self.network);
            }
        }
    }
}

fn lock(taken: &Mutex<Taken>) -> MutexGuard<'_, Taken> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_limited_by_network_and_in_all_and_free_again() {
        let viewers = Viewers::of(2, 3);
        let take = |network: &[u8]| viewers.take(network.to_vec());
        let first = take(b"a").expect("free");
        let _second = take(b"a").expect("free");
        assert_eq!(take(b"a").expect_err("over").status().as_u16(), 429);
        let third = take(b"b").expect("another network");
        take(b"c").expect_err("none left in all");
        drop(third);
        let _third = take(b"c").expect("free again");
        drop(first);
        let _first = take(b"a").expect("free again");
        assert_eq!(lock(&viewers.taken).networks.len(), 2, "those with viewers");
    }
}
