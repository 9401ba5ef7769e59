//! Message-IDs that are the same on every attempt and need no storage.

use data_encoding::BASE32_NOPAD;

use crate::types::{IssueId, Keys, ReaderId, varint::pack};

/// The Message-ID (with its angle brackets) of `issue` for `reader`, at the sender's own domain.
///
/// It is a keyed hash, which is stable across restarts and key rotations and does not reveal the number of readers.
#[must_use]
pub fn message_id(keys: &Keys, issue: IssueId, reader: ReaderId, domain: &str) -> String {
    let mac = keys.hash(Keys::MESSAGE_ID, &pack(&[issue.0, reader.0]));
    let local = BASE32_NOPAD.encode(&mac[..15]).to_ascii_lowercase();
    format!("<{local}@{domain}>")
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
}
