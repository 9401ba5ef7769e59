//! Where randomness comes from: the operating system, or a seed in tests.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rand::rngs::{OsRng, StdRng};
use rand::{RngCore, SeedableRng, TryRngCore};

/// A source of random bytes. Clones share it.
#[derive(Clone)]
pub enum Random {
    /// The operating system's generator, for everything that must not be guessed.
    System,
    /// Reproducible bytes, for tests only.
    Seeded(Arc<Mutex<StdRng>>),
}

impl Random {
    /// A reproducible source.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self::Seeded(Arc::new(Mutex::new(StdRng::seed_from_u64(seed))))
    }

    /// `N` random bytes.
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    /// Fills `out` with random bytes.
    ///
    /// # Panics
    /// When the operating system has no randomness to give: there is no safe way to go on.
    pub fn fill(&self, out: &mut [u8]) {
        match self {
            #[expect(
                clippy::expect_used,
                reason = "without randomness every token would be guessable"
            )]
            Self::System => OsRng
                .try_fill_bytes(out)
                .expect("the operating system gives random bytes"),
            Self::Seeded(rng) => rng
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .fill_bytes(out),
        }
    }

    /// A number in `0..bound`, for jitter and shuffles; 0 when `bound` is 0.
    #[must_use]
    pub fn below(&self, bound: u64) -> u64 {
        if bound == 0 {
            return 0;
        }
        // The multiply-shift map: its bias is below 2^-32 for the small bounds used here.
        ((u128::from(u64::from_le_bytes(self.bytes())) * u128::from(bound)) >> 64) as u64
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_the_system_does_not() {
        assert_eq!(
            Random::seeded(7).bytes::<16>(),
            Random::seeded(7).bytes::<16>()
        );
        assert_ne!(Random::System.bytes::<16>(), Random::System.bytes::<16>());
    }

    #[test]
    fn below_stays_below() {
        let random = Random::seeded(1);
        assert!((0..1_000).all(|_| random.below(7) < 7));
        assert_eq!(random.below(0), 0);
    }
}
