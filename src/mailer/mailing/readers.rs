//! How a frozen audience is cut into batches.

/// How many recipients a batch holds: 500, or fewer so that a small audience still occupies all lanes to the end.
pub(super) fn batch_size(audience: usize, lanes: usize) -> usize {
    (audience / (lanes.max(1) * 4)).clamp(10, 500)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_audiences_are_shared_out() {
        assert_eq!(batch_size(1_000_000, 10), 500);
        assert_eq!(batch_size(1_000, 10), 25);
        assert_eq!(batch_size(3, 10), 10);
    }
}
