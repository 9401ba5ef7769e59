//! When a deferred mail is retried. Pure.

use std::time::Duration;

use crate::types::Random;

/// Mails of issues: twice in the first hour, then every two to three hours.
const BULK: [u64; 3] = [10 * 60, 40 * 60, 150 * 60];
/// Single mails: sooner, because somebody is waiting for them.
const SINGLE: [u64; 6] = [30, 2 * 60, 5 * 60, 10 * 60, 20 * 60, 60 * 60];
/// After the connection was lost behind the final dot: soon, because the reader most likely did not get the mail.
const IN_DOUBT: [u64; 4] = [5, 60, 10 * 60, 60 * 60];

/// The kind of mail that waits for a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    Bulk,
    Single,
    InDoubt,
}

/// The wait after attempt number `attempt` (from 1), with a jitter of a fifth, so that mails that were deferred
/// together are not retried together.
pub(super) fn pause(waiting: Waiting, attempt: i64, random: &Random) -> Duration {
    let table: &[u64] = match waiting {
        Waiting::Bulk => &BULK,
        Waiting::Single => &SINGLE,
        Waiting::InDoubt => &IN_DOUBT,
    };
    let index = usize::try_from(attempt - 1)
        .unwrap_or(0)
        .min(table.len() - 1);
    let millis = table[index] * 1_000;
    Duration::from_millis(millis * 4 / 5 + random.below(millis * 2 / 5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_spread() {
        let random = Random::seeded(1);
        for (waiting, attempt, seconds) in [
            (Waiting::Bulk, 1, 600),
            (Waiting::Bulk, 2, 2_400),
            (Waiting::Bulk, 99, 9_000),
            (Waiting::Single, 1, 30),
            (Waiting::InDoubt, 1, 5),
        ] {
            let pauses: Vec<f64> = (0..100)
                .map(|_| pause(waiting, attempt, &random).as_secs_f64())
                .collect();
            let expected = f64::from(seconds);
            assert!(
                pauses
                    .iter()
                    .all(|p| (expected * 0.8..=expected * 1.2).contains(p))
            );
            assert!(pauses.windows(2).any(|p| p[0] != p[1]));
        }
    }
}
