//! The draw. Pure.
//!
//! Every reader on the list gets a number: the HMAC-SHA256 of the id (eight bytes, big-endian) under the seed. The
//! readers with the `n` smallest numbers are the sample. So it depends only on the seed and on the set of ids, not on
//! their order, and anybody who has both can repeat the draw with a few lines in any language.

use std::collections::BinaryHeap;

use aws_lc_rs::{digest, hmac};

use crate::types::ReaderId;

/// A simple random sample of `size` readers from the list, without replacement, ascending; the whole
/// list if it is no larger.
#[must_use]
pub fn draw(frame: &[ReaderId], size: usize, seed: &str) -> Vec<ReaderId> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, seed.as_bytes());
    // A max-heap: the largest of the numbers kept is the first to be removed.
    let mut kept: BinaryHeap<([u8; 32], ReaderId)> = BinaryHeap::with_capacity(size + 1);
    for &reader in frame {
        let mut number = [0; 32];
        number.copy_from_slice(hmac::sign(&key, &reader.0.to_be_bytes()).as_ref());
        if kept.len() < size || kept.peek().is_some_and(|most| (number, reader) < *most) {
            kept.push((number, reader));
            if kept.len() > size {
                kept.pop();
            }
        }
    }
    let mut drawn: Vec<ReaderId> = kept.into_iter().map(|(_, reader)| reader).collect();
    drawn.sort_unstable();
    drawn
}

/// The SHA-256 of a list: its ids in ascending order, eight bytes each, big-endian.
#[must_use]
pub fn checksum(frame: &[ReaderId]) -> Vec<u8> {
    let mut hash = digest::Context::new(&digest::SHA256);
    for reader in frame {
        hash.update(&reader.0.to_be_bytes());
    }
    hash.finish().as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polls::sample::{range, share_range};
    use crate::types::Random;

    fn list(n: i64) -> Vec<ReaderId> {
        (1..=n).map(|i| ReaderId(i * 3)).collect()
    }

    #[test]
    fn the_same_seed_draws_the_same_readers_in_whatever_order_the_list_is_read() {
        let frame = list(2_000);
        let drawn = draw(&frame, 150, "seed");
        assert_eq!(drawn.len(), 150);
        assert!(drawn.windows(2).all(|pair| pair[0] < pair[1]));
        let turned: Vec<ReaderId> = frame.iter().rev().copied().collect();
        assert_eq!(draw(&turned, 150, "seed"), drawn);
        assert_ne!(draw(&frame, 150, "another seed"), drawn);
        // Computed with `hmac.new(b"seed", id.to_bytes(8, "big"), "sha256")` in Python: anybody can repeat the draw.
        assert_eq!(
            draw(&list(10), 3, "seed"),
            PYTHON.map(ReaderId),
            "the draw is a public rule: it never changes"
        );
    }

    const PYTHON: [i64; 3] = [15, 21, 24];

    #[test]
    fn a_list_is_drawn_whole_where_it_is_no_larger() {
        assert_eq!(draw(&list(5), 5, "s"), list(5));
        assert_eq!(draw(&list(5), 9, "s"), list(5));
        assert_eq!(draw(&list(5), 0, "s"), []);
        assert_eq!(draw(&[], 3, "s"), []);
    }

    /// Over many seeds, each reader and each pair of neighbours is drawn as often as in a simple random
    /// sample: n/N and n(n−1)/N(N−1).
    #[test]
    fn every_reader_has_the_same_chance() {
        let (frame, size, seeds) = (list(40), 10, 6_000);
        let (mut alone, mut pairs) = ([0_i32; 40], [0_i32; 39]);
        for seed in 0..seeds {
            let drawn = draw(&frame, size, &format!("seed {seed}"));
            for (at, reader) in frame.iter().enumerate() {
                if drawn.binary_search(reader).is_ok() {
                    alone[at] += 1;
                    if at < 39 && drawn.binary_search(&frame[at + 1]).is_ok() {
                        pairs[at] += 1;
                    }
                }
            }
        }
        // Five standard deviations.
        let near = |found: i32, chance: f64| {
            let expected = chance * f64::from(seeds);
            (f64::from(found) - expected).abs() < 5.0 * (expected * (1.0 - chance)).sqrt()
        };
        assert!(alone.iter().all(|&n| near(n, 0.25)), "{alone:?}");
        let pair = 10.0 * 9.0 / (40.0 * 39.0);
        assert!(pairs.iter().all(|&n| near(n, pair)), "{pairs:?}");
    }

    /// The promise itself: of all samples that could have been drawn, 95 in 100 give a range that contains the truth
    /// about the list, even if some of those asked, at random, do not answer. This tests the range that is shown,
    /// rounded outwards, and the interval behind it.
    #[test]
    fn ranges_hold_the_truth_in_95_of_100_draws() {
        let frame = list(1_200);
        let random = Random::seeded(4);
        for (size, answering, yes) in [(300_usize, 100_u64, 3_i64), (400, 40, 2), (900, 50, 6)] {
            // One in `yes` readers on the list says yes.
            let says_yes = |reader: ReaderId| (reader.0 / 3) % yes == 0;
            let population = frame.len() as i64;
            let truth = frame.iter().filter(|r| says_yes(**r)).count() as f64 / frame.len() as f64;
            const SEEDS: i32 = 1_500;
            let (mut held, mut shown) = (0, 0);
            for seed in 0..SEEDS {
                let drawn = draw(&frame, size, &format!("{size} {seed}"));
                let answered: Vec<_> = drawn
                    .iter()
                    .filter(|_| random.below(100) < answering)
                    .collect();
                let k = answered.iter().filter(|r| says_yes(***r)).count() as i64;
                let found = range(k, answered.len() as i64, population).unwrap();
                held += i32::from(found.low <= truth && truth <= found.high);
                let text = share_range(&found, answered.len() as i64);
                let ends: Vec<f64> = text
                    .trim_end_matches('%')
                    .split(" to ")
                    .map(|end| end.parse().unwrap())
                    .collect();
                shown += i32::from(ends[0] <= truth * 100.0 && truth * 100.0 <= ends[1]);
            }
            let share = f64::from(held) / f64::from(SEEDS);
            // Three standard deviations of 1,500 draws are 1.7 points.
            assert!((0.933..=0.970).contains(&share), "{size}: {share}");
            assert!(shown >= held, "rounding took a range's end away");
        }
    }
}
