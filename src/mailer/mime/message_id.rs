//! Message-IDs that are the same on every attempt and stored nowhere.

use crate::types::{IssueId, Keys, ReaderId, keys::pack};

/// The Message-ID (with its angle brackets) of `issue` for `reader`, at the sender's own domain.
///
/// A keyed hash: stable whatever restarts or keys rotate, and it tells nobody how many readers there are.
#[must_use]
pub fn message_id(keys: &Keys, issue: IssueId, reader: ReaderId, domain: &str) -> String {
    let mac = keys.hash("message-id", &pack(&[issue.0, reader.0]));
    format!("<{}@{domain}>", base32(&mac[..15]))
}

/// RFC 4648 base32 in lower case; `bytes` is a multiple of 5 long.
pub(crate) fn base32(bytes: &[u8]) -> String {
    const ALPHABET: [u8; 32] = *b"abcdefghijklmnopqrstuvwxyz234567";
    let mut out = String::with_capacity(bytes.len() * 8 / 5);
    for chunk in bytes.chunks(5) {
        let bits = chunk
            .iter()
            .fold(0u64, |bits, byte| bits << 8 | u64::from(*byte));
        for i in (0..8).rev() {
            let index = usize::try_from(bits >> (5 * i) & 31).unwrap_or(0);
            out.push(char::from(ALPHABET[index]));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Secret;

    #[test]
    fn is_stable_and_differs_per_reader_and_issue() {
        let keys = Keys::new(&Secret::new("0123456789abcdef0123456789abcdef")).unwrap();
        let id =
            |issue, reader| message_id(&keys, IssueId(issue), ReaderId(reader), "news.example.org");
        assert_eq!(id(1, 2), id(1, 2));
        assert_ne!(id(1, 2), id(1, 3));
        assert_ne!(id(1, 2), id(2, 2));
        assert!(id(1, 2).len() <= 60);
    }

    #[test]
    fn base32_is_that_of_rfc_4648() {
        assert_eq!(base32(b"fooba"), "mzxw6ytb");
    }
}
