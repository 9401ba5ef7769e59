//! Confidence intervals for a share, and for a mean.

/// The 97.5th percentile of the normal distribution, for 95 per cent intervals.
const Z95: f64 = 1.959_963_984_540_054;

/// The bounds, as shares from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// The score interval of Wilson (1927, JASA 22, 209) for `k` of `n`, at 95 per cent. `None` if the share is undefined.
#[must_use]
pub fn wilson(k: i64, n: i64) -> Option<Interval> {
    if n <= 0 || k < 0 || k > n {
        return None;
    }
    score(k as f64 / n as f64, n as f64)
}

/// The same for a share of a weighted sample, with its effective size (see [`super::weights::effective_size`]).
#[must_use]
pub fn wilson_weighted(share: f64, effective_size: f64) -> Option<Interval> {
    ((0.0..=1.0).contains(&share) && effective_size > 0.0 && effective_size.is_finite())
        .then(|| score(share, effective_size))
        .flatten()
}

/// The interval for a share of a finite list of `population`, of which a simple random sample of `n` answered. The
/// sample counts as `n · (N − 1) / (N − n)`: this puts the finite-population correction of the variance (Cochran 1977,
/// §3.2) into Wilson's interval, so that it stays within 0 to 1 and shrinks to a point if everybody was asked.
#[must_use]
pub fn of_list(k: i64, n: i64, population: i64) -> Option<Interval> {
    if n <= 0 || k < 0 || k > n || population < n {
        return None;
    }
    let share = k as f64 / n as f64;
    if population == n {
        return Some(Interval {
            low: share,
            high: share,
        });
    }
    let (n, list) = (n as f64, population as f64);
    score(share, n * (list - 1.0) / (list - n))
}

/// The same for a weighted share with this `effective_size`, given by `n` of the list.
#[must_use]
pub fn of_list_weighted(
    share: f64,
    effective_size: f64,
    n: i64,
    population: i64,
) -> Option<Interval> {
    if n <= 0 || population < n {
        return None;
    }
    if population == n {
        return (0.0..=1.0).contains(&share).then_some(Interval {
            low: share,
            high: share,
        });
    }
    let (n, list) = (n as f64, population as f64);
    wilson_weighted(share, effective_size * (list - 1.0) / (list - n))
}

/// Half the width of the widest interval that [`of_list`] can give for `n` of `population`:
/// that of a share of one half.
#[must_use]
pub fn widest_of_list(n: i64, population: i64) -> Option<f64> {
    of_list_weighted(0.5, n as f64, n, population).map(|found| (found.high - found.low) / 2.0)
}

/// The interval for the mean of a finite list of `population`, of which `counts[i]` answered with the point `from + i`:
/// that of Wilson for a share with the same standard error `√((1 − n/N) s² / n)` (Cochran 1977, eq. 2.20), since a mean
/// is a share of the way from one end of the scale to the other. The estimated variance costs some of the effective
/// size, as Student's t does (Korn & Graubard 1998, Survey Methodology 24, 193). If 30 answer on a skewed scale, 92 to
/// 98 of 100 such intervals hold the mean; of the mean plus or minus 1.96 standard errors, it would be 77 to 94.
/// `None` if all gave the same point, unless everybody did: the formula would say that all others would give it, too.
#[must_use]
pub fn mean_of_list(from: i64, counts: &[i64], population: i64) -> Option<Interval> {
    let n: i64 = counts.iter().sum();
    if n < 2 || population < n || counts.iter().any(|&count| count < 0) {
        return None;
    }
    let places = || (0_i64..).zip(counts).map(|(at, &k)| (at as f64, k as f64));
    let (size, list, from) = (n as f64, population as f64, from as f64);
    let mean = places().map(|(at, k)| at * k).sum::<f64>() / size;
    if population == n {
        return Some(Interval {
            low: from + mean,
            high: from + mean,
        });
    }
    if counts.iter().filter(|count| **count > 0).count() == 1 {
        return None;
    }
    let spread = places()
        .map(|(at, k)| k * (at - mean) * (at - mean))
        .sum::<f64>();
    let variance = (1.0 - size / list) * spread / (size - 1.0) / size;
    // The first term of the expansion of t² / z².
    let cost = 1.0 + (Z95 * Z95 + 1.0) / (2.0 * (size - 1.0));
    let last = counts.len() as f64 - 1.0;
    let found = score(mean / last, mean * (last - mean) / variance / cost)?;
    Some(Interval {
        low: from + found.low * last,
        high: from + found.high * last,
    })
}

fn score(p: f64, n: f64) -> Option<Interval> {
    let z2 = Z95 * Z95;
    let middle = p + z2 / (2.0 * n);
    let reach = Z95 * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    let found = Interval {
        low: ((middle - reach) / scale).clamp(0.0, 1.0),
        high: ((middle + reach) / scale).clamp(0.0, 1.0),
    };
    (found.low.is_finite() && found.high.is_finite()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Random;
    use proptest::prelude::*;

    /// Newcombe (1998), "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17,
    /// table I, method 3; looked up as the tests of several independent statistics packages cite it.
    #[test]
    fn the_published_examples_of_wilsons_interval() {
        for (k, n, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let found = wilson(k, n).unwrap();
            assert!((found.low - low).abs() < 5e-5, "{k}/{n}: {found:?}");
            assert!((found.high - high).abs() < 5e-5, "{k}/{n}: {found:?}");
        }
    }

    /// Lohr (2022), Sampling: Design and Analysis (3rd ed.), §2.3, data set `agsrs`: 300 of 3,078 counties with a mean of 297,897 acres have a
    /// standard error of 18,898.43, as R's `svymean` with `fpc` gives it too (looked up in four published solutions of the example).
    #[test]
    fn the_published_correction_for_a_finite_list() {
        let (n, list, deviation) = (300.0, 3_078.0, 344_551.9_f64);
        let published = 18_898.43;
        assert!((((1.0 - n / list) * deviation.powi(2) / n).sqrt() - published).abs() < 0.01);
        // The correction is the same for a mean and for a share: this is a question with two points, of
        // which p have the upper one.
        for k in [30_i64, 153, 270] {
            let p = k as f64 / n;
            let error = ((1.0 - n / list) * p * (1.0 - p) / (n - 1.0)).sqrt();
            let mean = mean_of_list(0, &[300 - k, k], 3_078).unwrap();
            let share = of_list(k, 300, 3_078).unwrap();
            for found in [mean, share] {
                assert!(
                    ((found.high - found.low) / 2.0 / Z95 / error - 1.0).abs() < 0.02,
                    "{k}"
                );
            }
        }
        let all = mean_of_list(1, &[10, 20, 30], 60).unwrap();
        assert!((all.low - all.high).abs() < 1e-12);
        let same = mean_of_list(1, &[0, 60], 60).unwrap();
        assert_eq!((same.low, same.high), (2.0, 2.0));
        for (counts, population) in [
            (&[1][..], 9),
            (&[][..], 9),
            (&[5, 5][..], 9),
            (&[-1, 9][..], 99),
            // That all 30 of them say 3 does not tell what the other million would say.
            (&[0, 0, 30][..], 1_000_000),
        ] {
            assert_eq!(mean_of_list(1, counts, population), None);
        }
    }

    #[test]
    fn no_interval_is_wider_than_the_widest() {
        for n in [30, 100, 700] {
            let widest = widest_of_list(n, 1_000).unwrap();
            for k in 0..=n {
                let found = of_list(k, n, 1_000).unwrap();
                assert!((found.high - found.low) / 2.0 <= widest + 1e-12, "{k}/{n}");
            }
        }
        assert_eq!(widest_of_list(50, 50), Some(0.0));
        assert_eq!(widest_of_list(51, 50), None);
        assert_eq!(of_list_weighted(0.4, 60.0, 0, 50), None);
    }

    #[test]
    fn asking_everybody_leaves_nothing_open() {
        let all = of_list(30, 100, 100).unwrap();
        assert_eq!((all.low, all.high), (0.3, 0.3));
    }

    #[test]
    fn numbers_that_mean_nothing_have_no_interval() {
        for (k, n) in [(0, 0), (-1, 5), (6, 5), (1, -1), (i64::MIN, i64::MAX)] {
            assert_eq!(wilson(k, n), None, "{k}/{n}");
            assert_eq!(of_list(k, n, 10), None, "{k}/{n}");
        }
        assert_eq!(of_list(1, 11, 10), None);
        for (share, size) in [(f64::NAN, 9.0), (0.5, f64::NAN), (0.5, 0.0), (1.1, 9.0)] {
            assert_eq!(wilson_weighted(share, size), None);
        }
    }

    /// Draws a sample of `n` from a list in which `list[i]` readers have the property `i`; returns how many of the
    /// sample have each.
    fn draw(random: &Random, n: u64, list: &[u64]) -> Vec<i64> {
        let mut left = list.to_vec();
        let mut found = vec![0; list.len()];
        for _ in 0..n {
            let mut at = random.below(left.iter().sum());
            let mut drawn = 0;
            while at >= left[drawn] {
                at -= left[drawn];
                drawn += 1;
            }
            left[drawn] -= 1;
            found[drawn] += 1;
        }
        found
    }

    #[test]
    fn ninety_five_of_a_hundred_intervals_hold_the_truth() {
        const ROUNDS: i32 = 4_000;
        let random = Random::seeded(1_927);
        for (with, population, n) in [
            (2_000_u64, 10_000_u64, 200_u64),
            (5_000, 10_000, 100),
            (300, 1_000, 400),
            (450, 500, 250),
        ] {
            let truth = with as f64 / population as f64;
            let (mut held, mut width) = (0, 0.0);
            for _ in 0..ROUNDS {
                let k = draw(&random, n, &[with, population - with])[0];
                let found = of_list(k, n as i64, population as i64).unwrap();
                held += i32::from(found.low <= truth && truth <= found.high);
                width += found.high - found.low;
            }
            let share = f64::from(held) / f64::from(ROUNDS);
            assert!(
                (0.935..=0.968).contains(&share),
                "{with}/{population}: {share}"
            );
            // The interval is not too wide either: within a twentieth of what the normal distribution would give.
            let error = (truth * (1.0 - truth) / n as f64 * (population - n) as f64
                / (population - 1) as f64)
                .sqrt();
            let ratio = width / f64::from(ROUNDS) / (2.0 * Z95 * error);
            assert!(
                (0.93..=1.05).contains(&ratio),
                "{with}/{population}: {ratio}"
            );
        }
    }

    /// Few answers on scales that hardly any list uses evenly. All bounds were computed in a separate simulation.
    #[test]
    fn ninety_five_of_a_hundred_intervals_of_a_mean_hold_the_truth() {
        const ROUNDS: i32 = 2_000;
        let random = Random::seeded(1_998);
        for (n, list) in [
            (30_u64, &[2_000_u64, 2_000, 2_000, 2_000, 2_000][..]),
            (30, &[200, 300, 500, 2_000, 7_000][..]),
            (30, &[100, 100, 100, 700, 9_000][..]),
            (30, &[8_000, 1_200, 400, 200, 200][..]),
            (30, &[4_500, 500, 0, 500, 4_500][..]),
            (
                30,
                &[
                    300, 100, 100, 100, 100, 500, 400, 1_000, 2_000, 2_500, 2_900,
                ][..],
            ),
            (30, &[900, 100][..]),
            (100, &[100, 100, 100, 700, 9_000][..]),
            (400, &[20, 30, 50, 200, 700][..]),
        ] {
            let readers: u64 = list.iter().sum();
            let points = || (1_u32..).map(f64::from).zip(list);
            let truth = points().map(|(at, &k)| at * k as f64).sum::<f64>() / readers as f64;
            let (mut held, mut given) = (0, 0);
            for _ in 0..ROUNDS {
                let counts = draw(&random, n, list);
                let Some(found) = mean_of_list(1, &counts, readers as i64) else {
                    continue;
                };
                given += 1;
                held += i32::from(found.low <= truth && truth <= found.high);
            }
            let share = f64::from(held) / f64::from(given);
            assert!((0.905..=0.985).contains(&share), "{n} of {list:?}: {share}");
            assert!(given > ROUNDS * 9 / 10, "{n} of {list:?}: {given}");
        }
    }

    proptest! {
        #[test]
        fn an_interval_lies_in_0_to_1_round_its_share(n in 1_i64..1_000_000, of in 0.0_f64..=1.0, more in 0_i64..1_000_000) {
            let k = (of * n as f64) as i64;
            let share = k as f64 / n as f64;
            for found in [wilson(k, n).unwrap(), of_list(k, n, n + more).unwrap()] {
                prop_assert!(0.0 <= found.low && found.high <= 1.0);
                prop_assert!(found.low <= share + 1e-12 && share <= found.high + 1e-12);
            }
        }
    }
}
