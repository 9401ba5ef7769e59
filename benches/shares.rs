//! Our rate as a share of the limit that was measured beside it.

/// Shares of several runs, in percent. The speed of a shared machine can double within a minute, so the lowest and the
/// highest say how much the median means.
pub struct Shares {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

impl Shares {
    /// `ours` and `limit`: rates in the order of the runs.
    pub fn of(ours: &[f64], limit: &[f64]) -> Self {
        let pairs = ours.iter().zip(limit);
        let mut shares: Vec<f64> = pairs.map(|(ours, limit)| ours * 100.0 / limit).collect();
        shares.sort_by(f64::total_cmp);
        Self {
            median: shares[shares.len() / 2],
            low: shares[0],
            high: shares[shares.len() - 1],
        }
    }
}
