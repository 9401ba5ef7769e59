//! A return path for each mail (VERP), so that a bounce says which mail it is about.
//!
//! Its local part is `b` and a token of [`Purpose::Bounce`] in lower-case letters and digits; its domain is the
//! configured bounce domain. The token is sealed, so nobody can forge one or read the recipient from it, and
//! deterministic, because greylisting expects the same return path from every attempt. Mail servers may change its case
//! on the way.

use crate::{
    app::App,
    types::{
        IssueId, Keys, OutboxId, Purpose, ReaderId,
        varint::{pack, unpack},
    },
};

/// The first character of every such local part.
const MARK: char = 'b';

/// One mail that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mail {
    /// An issue, to one reader.
    Issue(IssueId, ReaderId),
    /// A single mail.
    Single(OutboxId),
}

/// The return path of a mail at `domain`; its local part has at most 60 octets.
#[must_use]
pub fn address(keys: &Keys, domain: &str, mail: Mail) -> String {
    let payload = match mail {
        Mail::Issue(issue, reader) => pack(&[issue.0, reader.0]),
        Mail::Single(id) => pack(&[id.0]),
    };
    let token = keys.seal_lowercase(Purpose::Bounce, &payload);
    format!("{MARK}{token}@{domain}")
}

/// The mail that a return path belongs to; `None` for an address that is not one of ours.
#[must_use]
pub fn read(keys: &Keys, address: &str) -> Option<Mail> {
    let (local, _) = address.rsplit_once('@')?;
    let local = local.trim_start_matches('<').to_ascii_lowercase();
    let payload = keys
        .open_lowercase(Purpose::Bounce, local.strip_prefix(MARK)?)
        .ok()?;
    unpack(&payload)
        .map(|[issue, reader]| Mail::Issue(IssueId(issue), ReaderId(reader)))
        .or_else(|| unpack(&payload).map(|[id]| Mail::Single(OutboxId(id))))
}

/// The return path of a mail, if a bounce domain is configured.
pub(super) fn own(app: &App, mail: Mail) -> Option<String> {
    match app.config.mail.bounce_domain.as_str() {
        "" => None,
        domain => Some(address(&app.keys, domain, mail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Secret;
    use proptest::prelude::*;

    fn keys(secret: &str) -> Keys {
        Keys::new(&Secret::new(secret)).unwrap()
    }

    const A: &str = "0123456789abcdef0123456789abcdef";
    const B: &str = "fedcba9876543210fedcba9876543210";

    proptest! {
        #[test]
        fn a_return_path_is_short_lower_case_and_leads_back(issue in 0i64.., reader in 0i64.., single: bool) {
            let keys = keys(A);
            let mail = if single { Mail::Single(OutboxId(issue)) } else { Mail::Issue(IssueId(issue), ReaderId(reader)) };
            let path = address(&keys, "bounces.example.org", mail);
            let (local, domain) = path.split_once('@').unwrap();
            prop_assert_eq!(domain, "bounces.example.org");
            prop_assert!(local.len() <= 64, "{}", local.len());
            prop_assert!(local.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
            prop_assert_eq!(read(&keys, &path), Some(mail));
            prop_assert_eq!(read(&keys, &path.to_ascii_uppercase()), Some(mail));
            prop_assert_eq!(address(&keys, "bounces.example.org", mail), path, "the same on every attempt");
        }

        #[test]
        fn nobody_makes_one_up(text in "[a-z2-7@b.]{0,60}", at in 1usize..30) {
            let keys = keys(A);
            prop_assert_eq!(read(&keys, &text), None);
            let mut path = address(&keys, "x.org", Mail::Issue(IssueId(1), ReaderId(2))).into_bytes();
            path[at] = if path[at] == b'a' { b'c' } else { b'a' };
            prop_assert_eq!(read(&keys, std::str::from_utf8(&path).unwrap()), None);
        }
    }

    #[test]
    fn one_sent_before_a_rotation_is_read_after_it() {
        let mail = Mail::Issue(IssueId(3), ReaderId(5));
        let path = address(&keys(A), "x.org", mail);
        assert_eq!(read(&keys(&format!("{B},{A}")), &path), Some(mail));
        assert_eq!(read(&keys(B), &path), None);
    }
}
