//! Weighting answers to what is known about the readership, or refusing to.
//!
//! Raking, also called iterative proportional fitting (Deming & Stephan 1940, Annals of Mathematical Statistics
//! 11, 427), scales the weights of each margin's groups to their known shares, margin after margin, until all of
//! them hold. Weights are kept between a cap and its inverse by trimming and raking again (Kolenikov 2014, Stata
//! Journal 14, 22, §2.4). It corrects only for what the margins describe: readers who choose to answer a poll may
//! differ in everything else.

use super::weights::effective_size;

/// With fewer answers than this, a group is not weighted up to stand for all the readers in it.
pub const SMALLEST_GROUP: i64 = 10;
/// The smallest effective size of the weighted answers.
pub const SMALLEST_EFFECTIVE: f64 = 30.0;
/// The default cap: no answer counts for more than five average ones, none for less than a fifth.
pub const USUAL_CAP: f64 = 5.0;
/// How far a margin may be missed because of the cap: half a point.
const TOLERANCE: f64 = 0.005;
const STEPS: usize = 500;
const CYCLES: usize = 100;
const EXACT: f64 = 1e-10;

/// Answers that are alike in all weighting groups and in the answer that is asked about.
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
    /// One weight for each pattern; their mean over all answers is 1.
    pub weights: Vec<f64>,
    /// The number of answers of equal weight that would be as precise (Kish).
    pub effective_size: f64,
    /// The largest weight.
    pub largest: f64,
    /// Whether the cap had to be applied.
    pub capped: bool,
    /// The largest deviation of a margin from its known shares.
    pub missed: f64,
}

impl Raked {
    /// The effective size for the weighted `share` of the answers for which `is_in` is true: that of the weights, or
    /// less if the variance `Σ w² (y − p)² / (Σ w)²` (Särndal, Swensson & Wretman 1992, Model Assisted Survey Sampling,
    /// §5.7) says so. Kish's size assumes that an answer varies as much where weights are small. If it is given mainly
    /// where they are large, intervals by that size hold the truth 90 times in 100 instead of 95.
    #[must_use]
    pub fn effective_size_of(
        &self,
        patterns: &[Pattern],
        share: f64,
        is_in: impl Fn(usize) -> bool,
    ) -> f64 {
        let (mut squares, mut whole) = (0.0, 0.0);
        for (i, (pattern, weight)) in patterns.iter().zip(&self.weights).enumerate() {
            let count = pattern.count.max(0) as f64;
            let off = f64::from(u8::from(is_in(i))) - share;
            squares += weight * weight * count * off * off;
            whole += weight * count;
        }
        // If nobody gave the answer, or everybody, this is 0 / 0, which `min` ignores.
        let size = share * (1.0 - share) * whole * whole / squares;
        self.effective_size.min(size)
    }
}

/// Why nothing is weighted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Refusal {
    /// There is nothing to weight, or nothing to weight by.
    Nothing,
    /// The shares of this margin are not valid shares, or do not sum to 1.
    NoMargin { margin: usize },
    /// A group with a share has too few answers to represent it.
    SmallGroup {
        margin: usize,
        group: usize,
        count: i64,
    },
    /// A group has answers although its share is 0.
    NoSuchGroup {
        margin: usize,
        group: usize,
        count: i64,
    },
    /// No weights satisfy all margins at once.
    NoFit,
    /// Only weights beyond the cap would satisfy the margins.
    Capped { missed: f64 },
    /// The effective size after weighting is too small.
    TooLittle { effective_size: f64 },
}

/// Rakes `patterns` to `margins`, with weights trimmed to at most `cap` (at least 1) and at least its inverse.
///
/// # Errors
/// Why the weights would not be worth using.
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
    // The cap is applied in any case; below it is checked by how far the margins are missed.
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

/// The weighted share of the answers for which `is_in` is true. `None` if there are no answers.
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
        // Shares are typed as rounded percentages, so their sum may deviate by half a point.
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
    // Slow convergence is not an error; what matters is how far the margins are missed.
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

/// Brings weights within the cap and its inverse; returns whether any weight was outside.
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
mod tests;
