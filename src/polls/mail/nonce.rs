//! The nonce of a vote's page: only a press later than [`SLOWEST_SCANNER`] after it was issued is taken for a person's.
//!
//! It is sealed and contains its time and its link. Nothing is stored, so a second request for the
//! page does not invalidate it.

use std::time::Duration;

use crate::polls::answer::Reason;
use crate::types::token::token_hash;
use crate::types::varint::{pack, unpack};
use crate::types::{Keys, Purpose, UnixMillis};

/// A press sooner than this after the page was issued is not a person's.
const SLOWEST_SCANNER: Duration = Duration::from_millis(700);
/// The lifetime of a nonce. After that the page is shown once more before the vote counts.
const LIVES: Duration = Duration::from_secs(24 * 60 * 60);

/// Issues a nonce for the page of the link `token`.
pub(super) fn give(keys: &Keys, token: &str, now: UnixMillis) -> String {
    keys.seal(Purpose::VoteNonce, &pack(&[now.0, fingerprint(token)]))
}

/// Why this nonce is not valid, for the statistics and for the reader; `None` if it is valid.
pub(super) fn refuse(
    keys: &Keys,
    nonce: &str,
    token: &str,
    now: UnixMillis,
) -> Option<(Reason, &'static str)> {
    let given = keys
        .open(Purpose::VoteNonce, nonce)
        .ok()
        .and_then(|payload| unpack::<2>(&payload));
    let Some([at, of]) = given else {
        return Some((Reason::BadNonce, "Please press the button once more."));
    };
    let age = now.since(UnixMillis(at));
    if of != fingerprint(token) || age > LIVES {
        return Some((
            Reason::BadNonce,
            "This page has been open for a long time. Please press the button once more.",
        ));
    }
    (age < SLOWEST_SCANNER).then_some((
        Reason::TooFast,
        "That was faster than a person reads. Please press the button once more.",
    ))
}

/// Binds a nonce to the link it was issued for: 56 bits of a hash.
fn fingerprint(token: &str) -> i64 {
    token_hash(token)
        .iter()
        .take(7)
        .fold(0, |all, byte| (all << 8) | i64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Secret;

    #[test]
    fn a_nonce_counts_for_its_link_after_a_moment_and_for_a_day() {
        let keys = Keys::new(&Secret::new("0123456789abcdef0123456789abcdef")).expect("a key");
        let given = UnixMillis(1_700_000_000_000);
        let nonce = give(&keys, "link", given);
        let refused = |nonce: &str, link: &str, after: u64| {
            refuse(&keys, nonce, link, given + Duration::from_millis(after)).map(|(why, _)| why)
        };
        let day = 24 * 60 * 60 * 1_000;
        for (after, expected) in [
            (0, Some(Reason::TooFast)),
            (699, Some(Reason::TooFast)),
            (700, None),
            (day, None),
            (day + 1, Some(Reason::BadNonce)),
        ] {
            assert_eq!(refused(&nonce, "link", after), expected, "after {after} ms");
        }
        assert_eq!(refused(&nonce, "other", 1_000), Some(Reason::BadNonce));
        assert_eq!(refused("", "link", 1_000), Some(Reason::BadNonce));
        // The nonce is issued again and again; the first one is still valid.
        give(&keys, "link", given + Duration::from_millis(500));
        assert_eq!(refused(&nonce, "link", 700), None);
    }
}
