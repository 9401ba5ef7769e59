//! Shares of small groups, stabilized by all other groups.
//!
//! Three of four readers in a small town are not reliably 75 per cent. A beta-binomial model (empirical Bayes)
//! shrinks each group's share towards the overall share: the more, the fewer readers answered there, and the less,
//! the more the groups really differ.

/// `k` of `n` in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    pub k: i64,
    pub n: i64,
}

/// What the groups have in common, and each group's shrunken share.
#[derive(Debug, Clone, PartialEq)]
pub struct Shrunk {
    /// The share of all groups together.
    pub overall: f64,
    /// The number of average answers that are added to each group; infinite if the groups
    /// differ no more than by chance.
    pub prior_size: f64,
    /// The shrunken shares, in the order of the groups.
    pub shares: Vec<f64>,
}

/// Shrinks the groups' shares. `None` if fewer than two groups have answers, or if the numbers are not valid counts.
///
/// The spread is estimated by the method of moments, weighted by size (Kleinman 1973, JASA 68, 46). A group's share is
/// then the mean of its posterior, `(k + M·p) / (n + M)`.
#[must_use]
pub fn shrink(groups: &[Group]) -> Option<Shrunk> {
    if groups.iter().any(|g| g.k < 0 || g.k > g.n) {
        return None;
    }
    let filled: Vec<(f64, f64)> = groups
        .iter()
        .filter(|g| g.n > 0)
        .map(|g| (g.k as f64, g.n as f64))
        .collect();
    if filled.len() < 2 {
        return None;
    }
    let all: f64 = filled.iter().map(|(_, n)| n).sum();
    let overall = filled.iter().map(|(k, _)| k).sum::<f64>() / all;
    let prior_size = prior_size(&filled, overall, all);
    let share = |g: &Group| {
        if prior_size.is_infinite() {
            overall
        } else {
            posterior_mean(g.k as f64, g.n as f64, overall, prior_size)
        }
    };
    Some(Shrunk {
        overall,
        prior_size,
        shares: groups.iter().map(share).collect(),
    })
}

fn posterior_mean(k: f64, n: f64, mean: f64, size: f64) -> f64 {
    // The group is empty and the others differ as much as possible: nothing is known but the mean.
    if n + size <= 0.0 {
        return mean;
    }
    ((k + size * mean) / (n + size)).clamp(0.0, 1.0)
}

/// `M = α + β` of the beta distribution from which the groups' shares are drawn.
fn prior_size(groups: &[(f64, f64)], mean: f64, all: f64) -> f64 {
    let chance = mean * (1.0 - mean);
    if chance <= 0.0 {
        return f64::INFINITY;
    }
    let spread: f64 = groups.iter().map(|(k, n)| n * (k / n - mean).powi(2)).sum();
    let free = groups.len() as f64 - 1.0;
    let squares: f64 = groups.iter().map(|(_, n)| n * n).sum();
    let room = all - squares / all - free;
    // The part of the spread beyond chance, relative to the largest possible.
    let correlation = (spread / chance - free) / room;
    if !(room > 0.0 && correlation.is_finite() && correlation > 0.0) {
        return f64::INFINITY;
    }
    let correlation = correlation.min(1.0);
    (1.0 - correlation) / correlation
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Random;
    use proptest::prelude::*;

    /// Gelman et al., Bayesian Data Analysis (3rd ed.), §5.1: with a prior of Beta(1.4, 8.6), 4 tumours among 14 rats have a
    /// posterior mean of 0.223.
    #[test]
    fn the_published_posterior_of_fourteen_rats() {
        let mean = posterior_mean(4.0, 14.0, 1.4 / 10.0, 10.0);
        // Beta(5.4, 18.6): 5.4 / 24 = 0.225; the book gives 0.223 from unrounded parameters.
        assert!((mean - 0.225).abs() < 1e-9, "{mean}");
        assert!((mean - 0.223).abs() < 0.003);
    }

    /// Efron & Morris (1975), "Data analysis using Stein's estimator", JASA 70, 311, table 1: hits of 18 players in their first
    /// 45 times at bat, and their averages in the rest of the season. The raw averages miss the truth by 0.077 in all
    /// (sum of squares), the James-Stein estimate by 0.022.
    #[test]
    fn the_published_batting_averages() {
        let hits = [
            18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7,
        ];
        let season = [
            0.346, 0.298, 0.276, 0.222, 0.273, 0.270, 0.263, 0.210, 0.269, 0.230, 0.264, 0.256,
            0.303, 0.264, 0.226, 0.286, 0.316, 0.200,
        ];
        let groups = hits.map(|k| Group { k, n: 45 });
        let shrunk = shrink(&groups).unwrap();
        assert!((shrunk.overall - 0.265).abs() < 5e-4, "{}", shrunk.overall);
        let missed = |shares: &[f64]| -> f64 {
            shares
                .iter()
                .zip(season)
                .map(|(a, b)| (a - b) * (a - b))
                .sum()
        };
        let raw = missed(&hits.map(|k| f64::from(i32::try_from(k).unwrap()) / 45.0));
        assert!((raw - 0.077).abs() < 0.002, "{raw}");
        let ours = missed(&shrunk.shares);
        assert!(ours < 0.026, "{ours}");
    }

    #[test]
    fn groups_that_do_not_differ_are_one() {
        let same = shrink(&[Group { k: 10, n: 20 }, Group { k: 50, n: 100 }]).unwrap();
        assert_eq!(same.shares, [0.5, 0.5]);
        let nobody = shrink(&[Group { k: 0, n: 20 }, Group { k: 0, n: 9 }]).unwrap();
        assert_eq!(nobody.shares, [0.0, 0.0]);
        let everybody = shrink(&[Group { k: 20, n: 20 }, Group { k: 9, n: 9 }]).unwrap();
        assert_eq!(everybody.shares, [1.0, 1.0]);
    }

    #[test]
    fn one_group_or_no_counts_are_not_shrunk() {
        // Groups that differ as much as possible, and an empty third group: it gets the mean.
        let groups = [(20, 20), (0, 20), (0, 0)].map(|(k, n)| Group { k, n });
        assert_eq!(shrink(&groups).unwrap().shares, [1.0, 0.0, 0.5]);
        assert_eq!(shrink(&[]), None);
        assert_eq!(shrink(&[Group { k: 1, n: 2 }]), None);
        assert_eq!(shrink(&[Group { k: 1, n: 2 }, Group { k: 0, n: 0 }]), None);
        assert_eq!(shrink(&[Group { k: 3, n: 2 }, Group { k: 1, n: 2 }]), None);
        assert_eq!(shrink(&[Group { k: -1, n: 2 }, Group { k: 1, n: 2 }]), None);
    }

    #[test]
    fn over_many_polls_shrunken_shares_are_nearer_to_the_truth() {
        let random = Random::seeded(1_973);
        let uniform = || random.below(1 << 30) as f64 / (1_u64 << 30) as f64;
        let (mut raw, mut shrunken) = (0.0, 0.0);
        for _ in 0..300 {
            let truth: Vec<f64> = (0..12).map(|_| 0.35 + 0.2 * uniform()).collect();
            let groups: Vec<Group> = truth
                .iter()
                .enumerate()
                .map(|(i, p)| {
                    let n = 5 + 10 * i as i64;
                    let k = (0..n).filter(|_| uniform() < *p).count() as i64;
                    Group { k, n }
                })
                .collect();
            let found = shrink(&groups).unwrap();
            for ((group, p), share) in groups.iter().zip(&truth).zip(&found.shares) {
                raw += (group.k as f64 / group.n as f64 - p).powi(2);
                shrunken += (share - p).powi(2);
            }
        }
        assert!(shrunken < raw / 3.0, "{shrunken} {raw}");
    }

    proptest! {
        #[test]
        fn a_share_moves_towards_the_whole_and_never_past_it(counts in proptest::collection::vec((0_i64..500, 0_i64..500), 2..12)) {
            let groups: Vec<Group> = counts.iter().map(|&(k, rest)| Group { k, n: k + rest }).collect();
            if let Some(shrunk) = shrink(&groups) {
                for (group, &share) in groups.iter().zip(&shrunk.shares) {
                    prop_assert!((0.0..=1.0).contains(&share));
                    if group.n > 0 {
                        let raw = group.k as f64 / group.n as f64;
                        let (low, high) = (raw.min(shrunk.overall), raw.max(shrunk.overall));
                        prop_assert!(low - 1e-9 <= share && share <= high + 1e-9);
                    }
                }
            }
        }
    }
}
