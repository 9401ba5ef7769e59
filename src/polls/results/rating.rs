//! The mean of a rating. Pure.
//!
//! The same caution as for percentages: no mean under 30 answers, one decimal under 1,000, two above. The mean is shown
//! beside the distribution, never instead of it.

use super::shares::{MIN_FOR_DECIMALS, MIN_FOR_PERCENT};

/// The mean of `counts[i]` answers with the point `from + i`, rounded half up, as text: `3.8`. `None` under 30 answers.
pub fn mean(from: i64, counts: &[i64]) -> Option<String> {
    let answers: i128 = counts.iter().map(|&n| i128::from(n.max(0))).sum();
    if answers < i128::from(MIN_FOR_PERCENT) {
        return None;
    }
    let points: i128 = (i128::from(from)..)
        .zip(counts)
        .map(|(point, &n)| point * i128::from(n.max(0)))
        .sum();
    let (unit, digits) = if answers < i128::from(MIN_FOR_DECIMALS) {
        (10, 1)
    } else {
        (100, 2)
    };
    let rounded = (2 * points * unit + answers).div_euclid(2 * answers);
    Some(format!("{}.{:0digits$}", rounded / unit, rounded % unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_mean_is_rounded_and_not_too_exact() {
        assert_eq!(mean(1, &[10, 10, 9]), None);
        assert_eq!(mean(1, &[10, 10, 10]).as_deref(), Some("2.0"));
        assert_eq!(mean(1, &[0, 0, 0, 19, 1]), None);
        assert_eq!(mean(1, &[0, 0, 0, 38, 2]).as_deref(), Some("4.1"));
        assert_eq!(mean(0, &[30]).as_deref(), Some("0.0"));
        assert_eq!(mean(1, &[500, 0, 0, 0, 501]).as_deref(), Some("3.00"));
        assert_eq!(mean(1, &[1_000, 50]).as_deref(), Some("1.05"));
        assert_eq!(mean(1, &[i64::MAX, i64::MAX]).as_deref(), Some("1.50"));
    }

    proptest! {
        #[test]
        fn a_mean_lies_on_the_scale(from in 0_i64..2, counts in proptest::collection::vec(0_i64..5_000, 2..11)) {
            if let Some(text) = mean(from, &counts) {
                let mean: f64 = text.parse().unwrap_or(f64::NAN);
                let highest = from + counts.len() as i64 - 1;
                prop_assert!((from as f64..=highest as f64).contains(&mean));
                let exact = counts.iter().enumerate().map(|(i, n)| (from + i as i64) as f64 * *n as f64).sum::<f64>()
                    / counts.iter().sum::<i64>() as f64;
                prop_assert!((mean - exact).abs() <= 0.0501);
            }
        }
    }
}
