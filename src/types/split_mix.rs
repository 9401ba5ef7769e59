//! A reproducible order, derived from a seed.

/// SplitMix64 (Steele, Lea, Flood 2014): takes a few nanoseconds a number, is uniform enough for an order, and
/// never changes between machines or versions. No secret may depend on it; use [`super::Random`] for those.
#[derive(Debug, Clone)]
pub struct SplitMix(u64);

impl SplitMix {
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Seeds it from several numbers, each of which affects all that follows.
    #[must_use]
    pub fn of(numbers: impl IntoIterator<Item = i64>) -> Self {
        let mut mix = Self(0);
        for number in numbers {
            mix.0 ^= number as u64;
            mix.0 = mix.draw();
        }
        mix
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, uniform to within 2⁻⁵⁰.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.draw()) * bound as u128) >> 64) as usize
    }

    /// Shuffles `items` (Fisher–Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The orders that readers have in their mails must not change with a new version.
    #[test]
    fn the_numbers_are_those_of_the_reference() {
        // From the authors' splitmix64.c with the seed 1234567.
        let mut mix = SplitMix::new(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| mix.draw()).collect();
        assert_eq!(
            drawn,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn a_shuffle_keeps_all_and_an_empty_one_is_nothing() {
        let mut items: Vec<usize> = (0..50).collect();
        SplitMix::of([3, -4]).shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
        SplitMix::new(1).shuffle::<u8>(&mut []);
    }
}
