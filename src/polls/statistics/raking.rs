//! Weighting answers to what is known of the readership, or refusing to.
//!
//! Raking, also called iterative proportional fitting (Deming & Stephan 1940, Annals of Mathematical Statistics 11, 427): the weights of
//! each margin's groups are scaled to their known shares, margin after margin, until all hold. Weights are held between a cap
//! and its inverse by trimming and raking again (Kolenikov 2014, Stata Journal 14, 22, §2.4). It corrects for what the margins name,
//! and for nothing else: who answers a poll by their own choice may differ in everything else.

use super::weights::effective_size;

/// Fewer answers than this in a group are not weighted up for all the readers of that group.
pub const SMALLEST_GROUP: i64 = 10;
/// Weighted answers must be worth so many at least.
pub const SMALLEST_EFFECTIVE: f64 = 30.0;
/// The cap unless an editor names another: no answer counts for more than five average ones, none for less than a fifth.
pub const USUAL_CAP: f64 = 5.0;
/// How far a margin may be missed for the cap's sake: half a point.
const TOLERANCE: f64 = 0.005;
const STEPS: usize = 500;
const CYCLES: usize = 100;
const EXACT: f64 = 1e-10;

/// Answers that are alike in everything that is weighted by, and in what is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The group in each margin, in the margins' order.
    pub groups: Vec<usize>,
    pub count: i64,
}

/// The known shares of a margin's groups, from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Margin {
    pub shares: Vec<f64>,
}

/// Weights, and what they are worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Raked {
    /// One for each pattern; their mean over all answers is 1.
    pub weights: Vec<f64>,
    /// So many answers of equal weight would be as precise (Kish).
    pub effective_size: f64,
    /// The largest weight.
    pub largest: f64,
    /// The cap had to be used.
    pub capped: bool,
    /// The widest distance of a margin from what was given, as a share.
    pub missed: f64,
}

/// Why nothing is weighted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Refusal {
    /// There is nothing to weight, or nothing to weight by.
    Nothing,
    /// The shares of this margin are no shares, or do not sum to 1.
    NoMargin { margin: usize },
    /// A group with a share has too few answers to stand for it.
    SmallGroup {
        margin: usize,
        group: usize,
        count: i64,
    },
    /// A group has answers, and the margin says that it does not exist.
    NoSuchGroup {
        margin: usize,
        group: usize,
        count: i64,
    },
    /// No weights fit all margins at once.
    NoFit,
    /// Only weights beyond the cap would fit.
    Capped { missed: f64 },
    /// What is left after weighting is worth too few answers.
    TooLittle { effective_size: f64 },
}

/// Rakes `patterns` to `margins` with no weight above `cap` (at least 1) nor below its inverse.
///
/// # Errors
/// Why the weights would not be worth showing.
pub fn rake(patterns: &[Pattern], margins: &[Margin], cap: f64) -> Result<Raked, Refusal> {
    let counts: Vec<f64> = patterns.iter().map(|p| p.count.max(0) as f64).collect();
    let n: f64 = counts.iter().sum();
    if n <= 0.0 || margins.is_empty() {
        return Err(Refusal::Nothing);
    }
    check(patterns, margins)?;
    let cap = if cap.is_finite() {
        cap.max(1.0)
    } else {
        USUAL_CAP
    };
    let mut weights = vec![1.0; patterns.len()];
    fit(patterns, &counts, margins, &mut weights)?;
    let mut capped = false;
    for _ in 0..CYCLES {
        if !trim(&mut weights, cap) {
            break;
        }
        capped = true;
        fit(patterns, &counts, margins, &mut weights)?;
    }
    // The cap holds whatever became of the margins; how far they are missed is judged.
    trim(&mut weights, cap);
    let mean = weights.iter().zip(&counts).map(|(w, n)| w * n).sum::<f64>() / n;
    for weight in &mut weights {
        *weight /= mean;
    }
    let missed = missed(patterns, &counts, margins, &weights);
    if !missed.is_finite() || missed > TOLERANCE {
        return Err(Refusal::Capped { missed });
    }
    let effective = effective_size(weights.iter().copied().zip(counts.iter().copied()));
    if effective < SMALLEST_EFFECTIVE {
        return Err(Refusal::TooLittle {
            effective_size: effective,
        });
    }
    let largest = weights
        .iter()
        .zip(&counts)
        .filter(|(_, n)| **n > 0.0)
        .fold(0.0, |most, (w, _)| f64::max(most, *w));
    Ok(Raked {
        weights,
        effective_size: effective,
        largest,
        capped,
        missed,
    })
}

/// The share of the answers that `is_in` says yes to, weighted. `None` without answers.
#[must_use]
pub fn weighted_share(
    patterns: &[Pattern],
    weights: &[f64],
    is_in: impl Fn(usize) -> bool,
) -> Option<f64> {
    let (mut part, mut whole) = (0.0, 0.0);
    for (i, (pattern, weight)) in patterns.iter().zip(weights).enumerate() {
        let weighed = weight * pattern.count.max(0) as f64;
        whole += weighed;
        if is_in(i) {
            part += weighed;
        }
    }
    let share = part / whole;
    share.is_finite().then_some(share)
}

fn check(patterns: &[Pattern], margins: &[Margin]) -> Result<(), Refusal> {
    for (margin, given) in margins.iter().enumerate() {
        let shares = &given.shares;
        let sound = shares
            .iter()
            .all(|s| s.is_finite() && (0.0..=1.0).contains(s));
        // Shares are typed as rounded per cent: up to half a point in all may be missing.
        if !sound || (shares.iter().sum::<f64>() - 1.0).abs() > TOLERANCE {
            return Err(Refusal::NoMargin { margin });
        }
        let mut counts = vec![0; shares.len()];
        for pattern in patterns {
            let group = pattern.groups.get(margin).and_then(|&g| counts.get_mut(g));
            *group.ok_or(Refusal::NoMargin { margin })? += pattern.count.max(0);
        }
        for (group, (&count, &share)) in counts.iter().zip(shares).enumerate() {
            if share > 0.0 && count < SMALLEST_GROUP {
                return Err(Refusal::SmallGroup {
                    margin,
                    group,
                    count,
                });
            }
            if share == 0.0 && count > 0 {
                return Err(Refusal::NoSuchGroup {
                    margin,
                    group,
                    count,
                });
            }
        }
    }
    Ok(())
}

/// Scales `weights` until every margin holds.
fn fit(
    patterns: &[Pattern],
    counts: &[f64],
    margins: &[Margin],
    weights: &mut [f64],
) -> Result<(), Refusal> {
    let n: f64 = counts.iter().sum();
    for _ in 0..STEPS {
        let mut change: f64 = 0.0;
        for (margin, given) in margins.iter().enumerate() {
            let whole: f64 = given.shares.iter().sum();
            let now = sums(patterns, counts, weights, margin, given.shares.len());
            for (weight, pattern) in weights.iter_mut().zip(patterns) {
                let group = pattern.groups[margin];
                if now[group] > 0.0 {
                    let factor = given.shares[group] / whole * n / now[group];
                    *weight *= factor;
                    change = change.max((factor - 1.0).abs());
                }
            }
        }
        if !change.is_finite() {
            return Err(Refusal::NoFit);
        }
        if change < EXACT {
            return Ok(());
        }
    }
    // Slow is not wrong: what counts is how far the margins are missed.
    if missed(patterns, counts, margins, weights) < TOLERANCE / 10.0 {
        Ok(())
    } else {
        Err(Refusal::NoFit)
    }
}

fn sums(
    patterns: &[Pattern],
    counts: &[f64],
    weights: &[f64],
    margin: usize,
    groups: usize,
) -> Vec<f64> {
    let mut sums = vec![0.0; groups];
    for ((pattern, count), weight) in patterns.iter().zip(counts).zip(weights) {
        sums[pattern.groups[margin]] += count * weight;
    }
    sums
}

/// Brings weights within the cap; whether one was outside.
fn trim(weights: &mut [f64], cap: f64) -> bool {
    let mut cut = false;
    for weight in weights {
        let within = weight.clamp(1.0 / cap, cap);
        if (within - *weight).abs() > EXACT {
            cut = true;
        }
        *weight = within;
    }
    cut
}

fn missed(patterns: &[Pattern], counts: &[f64], margins: &[Margin], weights: &[f64]) -> f64 {
    let n: f64 = weights.iter().zip(counts).map(|(w, n)| w * n).sum();
    let mut widest: f64 = 0.0;
    for (margin, given) in margins.iter().enumerate() {
        let whole: f64 = given.shares.iter().sum();
        let now = sums(patterns, counts, weights, margin, given.shares.len());
        for (sum, share) in now.iter().zip(&given.shares) {
            widest = widest.max((sum / n - share / whole).abs());
        }
    }
    widest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(cells: &[&[i64]]) -> Vec<Pattern> {
        let cell = |(row, line): (usize, &&[i64])| -> Vec<Pattern> {
            line.iter()
                .enumerate()
                .map(|(column, &count)| Pattern {
                    groups: vec![row, column],
                    count,
                })
                .collect()
        };
        cells.iter().enumerate().flat_map(cell).collect()
    }

    fn margin(shares: &[f64]) -> Margin {
        Margin {
            shares: shares.to_vec(),
        }
    }

    /// The worked example of Wikipedia's article "Iterative proportional fitting", which the documentation of `ipfn` solves as well: a table
    /// of 4 × 4 and the margins it is to have, and the fitted table, after the few steps printed there.
    #[test]
    fn the_published_fit_of_a_table() {
        let cells = [
            &[40, 30, 20, 10][..],
            &[35, 50, 100, 75],
            &[30, 80, 70, 120],
            &[20, 30, 40, 50],
        ];
        let published = [
            64.61, 46.28, 35.42, 3.83, 49.95, 68.15, 156.49, 25.37, 56.70, 144.40, 145.06, 53.76,
            28.74, 41.18, 63.03, 17.03,
        ];
        let patterns = table(&cells);
        let margins = [
            margin(&[0.15, 0.3, 0.4, 0.15]),
            margin(&[0.2, 0.3, 0.4, 0.1]),
        ];
        let raked = rake(&patterns, &margins, 100.0).unwrap();
        // The margins are of 1,000; the weights keep the number of answers.
        let n: f64 = patterns.iter().map(|p| p.count as f64).sum();
        let found: Vec<f64> = patterns
            .iter()
            .zip(&raked.weights)
            .map(|(p, w)| p.count as f64 * w * 1_000.0 / n)
            .collect();
        for (found, given) in found.iter().zip(published) {
            assert!((found - given).abs() < 0.15, "{found} for {given}");
        }
        // What raking keeps is the association: every odds ratio.
        let odds = |c: &[f64]| c[0] * c[5] / (c[1] * c[4]);
        let before: Vec<f64> = patterns.iter().map(|p| p.count as f64).collect();
        assert!((odds(&found) / odds(&before) - 1.0).abs() < 1e-6);
    }

    /// One margin is post-stratification, in closed form: share given / share found (Holt & Smith 1979).
    #[test]
    fn one_margin_is_weighted_in_closed_form() {
        let patterns = [(0, 300), (1, 100)].map(|(group, count)| Pattern {
            groups: vec![group],
            count,
        });
        let raked = rake(&patterns, &[margin(&[0.5, 0.5])], USUAL_CAP).unwrap();
        assert!((raked.weights[0] - 2.0 / 3.0).abs() < 1e-9);
        assert!((raked.weights[1] - 2.0).abs() < 1e-9);
        // (Σw)² / Σw² = 400² / (300·4/9 + 100·4) = 300.
        assert!((raked.effective_size - 300.0).abs() < 1e-6);
        assert!(!raked.capped);
        let share = weighted_share(&patterns, &raked.weights, |i| i == 1).unwrap();
        assert!((share - 0.5).abs() < 1e-9);
    }

    #[test]
    fn what_cannot_stand_for_its_group_is_refused() {
        let few = table(&[&[9], &[500]]);
        let by_rows = margin(&[0.5, 0.5]);
        assert_eq!(
            rake(&few, &[by_rows.clone(), margin(&[1.0])], USUAL_CAP),
            Err(Refusal::SmallGroup {
                margin: 0,
                group: 0,
                count: 9
            })
        );
        let uneven = table(&[&[12], &[4_000]]);
        let Err(Refusal::Capped { missed }) =
            rake(&uneven, &[by_rows.clone(), margin(&[1.0])], USUAL_CAP)
        else {
            panic!("a weight of 167 was accepted");
        };
        assert!(missed > 0.4);
        let little = table(&[&[10], &[40]]);
        let far = rake(&little, &[margin(&[0.8, 0.2]), margin(&[1.0])], USUAL_CAP);
        assert!(
            matches!(far, Err(Refusal::TooLittle { effective_size }) if effective_size < 20.0),
            "{far:?}"
        );
        // Rows and columns are the same question twice, with different shares.
        let twice = table(&[&[100, 0], &[0, 100]]);
        let no = rake(
            &twice,
            &[margin(&[0.3, 0.7]), margin(&[0.6, 0.4])],
            USUAL_CAP,
        );
        assert_eq!(no, Err(Refusal::NoFit));
    }

    #[test]
    fn margins_that_are_none_are_refused() {
        let patterns = table(&[&[100], &[100]]);
        for shares in [
            &[0.5, 0.4][..],
            &[0.5, f64::NAN],
            &[1.2, -0.2],
            &[f64::INFINITY, 0.0],
            &[1.0],
        ] {
            let refused = rake(&patterns, &[margin(shares), margin(&[1.0])], USUAL_CAP);
            assert_eq!(refused, Err(Refusal::NoMargin { margin: 0 }), "{shares:?}");
        }
        assert_eq!(rake(&patterns, &[], USUAL_CAP), Err(Refusal::Nothing));
        assert_eq!(
            rake(&[], &[margin(&[1.0])], USUAL_CAP),
            Err(Refusal::Nothing)
        );
        assert_eq!(
            rake(&patterns, &[margin(&[1.0, 0.0]), margin(&[1.0])], USUAL_CAP),
            Err(Refusal::NoSuchGroup {
                margin: 0,
                group: 1,
                count: 100
            })
        );
    }

    proptest! {
        #[test]
        fn margins_hold_and_weights_keep_the_cap(
            cells in proptest::collection::vec(20_i64..400, 12),
            rows in proptest::collection::vec(1_u32..20, 3),
            columns in proptest::collection::vec(1_u32..20, 4),
            cap in 1.0_f64..10.0,
        ) {
            let lines: Vec<&[i64]> = cells.chunks(4).collect();
            let patterns = table(&lines);
            let shares = |of: &[u32]| {
                let whole = f64::from(of.iter().sum::<u32>());
                margin(&of.iter().map(|&s| f64::from(s) / whole).collect::<Vec<_>>())
            };
            let margins = [shares(&rows), shares(&columns)];
            if let Ok(raked) = rake(&patterns, &margins, cap) {
                let n: f64 = cells.iter().sum::<i64>() as f64;
                let total: f64 = patterns.iter().zip(&raked.weights).map(|(p, w)| p.count as f64 * w).sum();
                prop_assert!((total - n).abs() < 1e-6 * n);
                prop_assert!(raked.largest <= cap * 1.02);
                prop_assert!(raked.effective_size <= n + 1e-6);
                for (i, m) in margins.iter().enumerate() {
                    for (group, share) in m.shares.iter().enumerate() {
                        let found = weighted_share(&patterns, &raked.weights, |p| patterns[p].groups[i] == group).unwrap();
                        prop_assert!((found - share).abs() <= TOLERANCE + 1e-9);
                    }
                }
            }
        }

        #[test]
        fn margins_that_hold_already_change_nothing(cells in proptest::collection::vec(20_i64..400, 4)) {
            let lines: Vec<&[i64]> = cells.chunks(2).collect();
            let patterns = table(&lines);
            let n = cells.iter().sum::<i64>() as f64;
            let rows = margin(&[(cells[0] + cells[1]) as f64 / n, (cells[2] + cells[3]) as f64 / n]);
            let columns = margin(&[(cells[0] + cells[2]) as f64 / n, (cells[1] + cells[3]) as f64 / n]);
            let raked = rake(&patterns, &[rows, columns], USUAL_CAP).unwrap();
            prop_assert!(raked.weights.iter().all(|w| (w - 1.0).abs() < 1e-6));
            prop_assert!((raked.effective_size - n).abs() < 1e-3);
        }
    }
}
