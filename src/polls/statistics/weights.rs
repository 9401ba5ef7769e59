//! The cost of unequal weights.

/// The size of a sample with equal weights that would be as precise: `(Σ w)² / Σ w²` (Kish 1965, Survey Sampling,
/// §11.7). 0 for invalid weights.
#[must_use]
pub fn effective_size(weights: impl IntoIterator<Item = (f64, f64)>) -> f64 {
    let (mut sum, mut squares) = (0.0, 0.0);
    for (weight, count) in weights {
        if !(weight.is_finite() && weight >= 0.0 && count.is_finite() && count >= 0.0) {
            return 0.0;
        }
        sum += weight * count;
        squares += weight * weight * count;
    }
    let size = sum * sum / squares;
    if size.is_finite() { size } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// From Kish (1992), "Weighting for unequal Pᵢ", Journal of Official Statistics 8, 183, in the form that R's
    /// `surveysd::kishFactor` has squared: n Σw² / (Σw)². If half of a sample has k times the weight of the other half,
    /// this is 2 (1 + k²) / (1 + k)².
    #[test]
    fn the_losses_of_two_weights_follow_the_published_formula() {
        for (k, effect) in [
            (1.0, 1.0),
            (2.0, 1.11),
            (3.0, 1.25),
            (4.0, 1.36),
            (5.0, 1.44),
            (10.0, 1.67),
        ] {
            let found = 1_000.0 / effective_size([(1.0, 500.0), (k, 500.0)]);
            assert!((found - effect).abs() < 0.005, "{k}: {found}");
        }
        assert!((effective_size([(1.0, 50.0), (3.0, 50.0)]) - 80.0).abs() < 1e-9);
    }

    #[test]
    fn no_weights_are_worth_nothing() {
        assert_eq!(effective_size([]), 0.0);
        assert_eq!(effective_size([(0.0, 9.0)]), 0.0);
        assert_eq!(effective_size([(f64::NAN, 9.0)]), 0.0);
        assert_eq!(effective_size([(-1.0, 9.0), (2.0, 3.0)]), 0.0);
    }

    proptest! {
        #[test]
        fn weighting_never_adds_answers(weights in proptest::collection::vec((0.001_f64..1_000.0, 1_u32..10_000), 1..30)) {
            let weights: Vec<_> = weights.into_iter().map(|(w, n)| (w, f64::from(n))).collect();
            let n: f64 = weights.iter().map(|(_, n)| n).sum();
            let size = effective_size(weights.iter().copied());
            prop_assert!(size <= n * (1.0 + 1e-9) && size > 0.0);
        }
    }
}
