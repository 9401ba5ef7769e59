//! Turns counts into percentages that readers may be shown.
//!
//! Three rules: no percentages under 30 answers, no decimals under 1,000, and if one answer excludes the others the
//! shown numbers sum to 100 (largest remainder: none is off by more than the rounding). For several choices each share
//! is a percentage of voters, and they need not sum to anything.

/// Answers needed before a percentage is shown at all.
pub const MIN_FOR_PERCENT: i64 = 30;
/// Answers needed before a decimal is shown.
pub const MIN_FOR_DECIMALS: i64 = 1_000;

/// A share as it is shown: tenths of a per cent, and whether the tenth is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    tenths: i64,
    decimals: bool,
}

impl Share {
    /// `34%` or `34.1%`.
    pub fn text(self) -> String {
        if self.decimals {
            format!("{}.{}%", self.tenths / 10, self.tenths % 10)
        } else {
            format!("{}%", self.tenths / 10)
        }
    }

    /// Per cent, as a number for scripts.
    pub fn percent(self) -> f64 {
        self.tenths as f64 / 10.0
    }
}

/// Shares of `counts` among `voters`; `None` under [`MIN_FOR_PERCENT`] voters.
/// `exclusive`: each voter gave exactly one of these answers.
pub fn shares(counts: &[i64], voters: i64, exclusive: bool) -> Option<Vec<Share>> {
    if voters < MIN_FOR_PERCENT {
        return None;
    }
    let decimals = voters >= MIN_FOR_DECIMALS;
    let whole: i64 = if decimals { 1_000 } else { 100 };
    let units = if exclusive && counts.iter().sum::<i64>() == voters {
        largest_remainder(counts, whole)
    } else {
        counts.iter().map(|&n| rounded(n, voters, whole)).collect()
    };
    let tenths_per_unit = 1_000 / whole;
    Some(
        units
            .into_iter()
            .map(|unit| Share {
                tenths: unit * tenths_per_unit,
                decimals,
            })
            .collect(),
    )
}

/// Splits `whole` in proportion to `counts` so that the parts sum to `whole` exactly (Hare–Niemeyer). Equal counts may
/// differ by one unit only if the remainder cannot be split; the earlier option gets it.
pub fn largest_remainder(counts: &[i64], whole: i64) -> Vec<i64> {
    let total: i128 = counts.iter().map(|&n| i128::from(n.max(0))).sum();
    if total == 0 {
        return vec![0; counts.len()];
    }
    let exact = |n: i64| i128::from(n.max(0)) * i128::from(whole);
    let mut parts: Vec<i64> = counts.iter().map(|&n| to_i64(exact(n) / total)).collect();
    let missing = whole - parts.iter().sum::<i64>();
    let mut by_remainder: Vec<usize> = (0..counts.len()).collect();
    by_remainder.sort_by_key(|&i| std::cmp::Reverse(exact(counts[i]) % total));
    for &i in by_remainder
        .iter()
        .take(usize::try_from(missing).unwrap_or(0))
    {
        parts[i] += 1;
    }
    parts
}

/// `n / of` in units of `1 / whole`, rounded half up.
fn rounded(n: i64, of: i64, whole: i64) -> i64 {
    to_i64((i128::from(n) * i128::from(whole) * 2 + i128::from(of)) / (i128::from(of) * 2))
}

fn to_i64(n: i128) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

/// `12480` as `12,480`.
pub fn grouped(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if n < 0 {
        out.push('-');
    }
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(counts: &[i64]) -> Vec<String> {
        shares(counts, counts.iter().sum(), true)
            .unwrap_or_default()
            .into_iter()
            .map(Share::text)
            .collect()
    }

    #[test]
    fn thirds_sum_to_a_hundred() {
        assert_eq!(texts(&[10, 10, 10]), ["34%", "33%", "33%"]);
    }

    #[test]
    fn under_thirty_there_is_no_percentage() {
        assert_eq!(shares(&[20, 9], 29, true), None);
        assert_eq!(texts(&[20, 10]), ["67%", "33%"]);
    }

    #[test]
    fn decimals_begin_at_a_thousand() {
        assert_eq!(texts(&[500, 499]), ["50%", "50%"]);
        assert_eq!(texts(&[500, 500]), ["50.0%", "50.0%"]);
        assert_eq!(
            texts(&[412, 498, 267, 36]),
            ["34.0%", "41.0%", "22.0%", "3.0%"]
        );
    }

    #[test]
    fn several_choices_are_per_cent_of_voters() {
        let shown = shares(&[40, 30, 5], 40, false).unwrap_or_default();
        assert_eq!(
            shown.into_iter().map(Share::text).collect::<Vec<_>>(),
            ["100%", "75%", "13%"]
        );
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(
            [0, 999, 1_000, 12_480, 1_000_000, -1_234].map(grouped),
            ["0", "999", "1,000", "12,480", "1,000,000", "-1,234"]
        );
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_whole_and_none_is_off_by_one(counts in proptest::collection::vec(0_i64..1_000_000_000, 1..20)) {
            let total: i64 = counts.iter().sum();
            prop_assume!(total > 0);
            let parts = largest_remainder(&counts, 100);
            prop_assert_eq!(parts.iter().sum::<i64>(), 100);
            for (part, count) in parts.iter().zip(&counts) {
                prop_assert!((*part as f64 - *count as f64 * 100.0 / total as f64).abs() < 1.0);
            }
        }

        #[test]
        fn more_answers_never_show_a_smaller_part(counts in proptest::collection::vec(0_i64..10_000, 2..8)) {
            let parts = largest_remainder(&counts, 1_000);
            for i in 0..counts.len() {
                for j in 0..counts.len() {
                    if counts[i] > counts[j] { prop_assert!(parts[i] >= parts[j]); }
                }
            }
        }
    }
}
