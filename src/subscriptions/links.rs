//! The encrypted tokens in readers' links: the reader, and the newsletter. None of those in mails expires. Instead,
//! each is limited in the harm it can do in the hands of somebody to whom a mail was forwarded.

use std::time::Duration;

use crate::types::varint::{pack, unpack};
use crate::types::{Keys, NewsletterId, Purpose, ReaderId, UnixMillis};

/// How long a reader stays signed in in a browser.
pub const SIGNED_IN_FOR: Duration = Duration::from_secs(180 * 24 * 60 * 60);

/// The token for `/unsubscribe/{token}`, and `/u/{token}` where a header needs a short URL. At worst it stops one
/// newsletter.
#[must_use]
pub fn unsubscribe_token(keys: &Keys, newsletter: NewsletterId, reader: ReaderId) -> String {
    keys.seal(Purpose::Unsubscribe, &pack(&[newsletter.0, reader.0]))
}

/// The newsletter and the reader of an unsubscribe token.
#[must_use]
pub fn open_unsubscribe(keys: &Keys, token: &str) -> Option<(NewsletterId, ReaderId)> {
    let [newsletter, reader] = unpack(&keys.open(Purpose::Unsubscribe, token).ok()?)?;
    Some((NewsletterId(newsletter), ReaderId(reader)))
}

/// The token for `/manage/{token}`. At worst it stops newsletters, withdraws consents, changes the reader's name, and
/// has a link mailed to the address; it cannot subscribe, link, export or erase.
#[must_use]
pub fn manage_token(keys: &Keys, reader: ReaderId) -> String {
    keys.seal(Purpose::Manage, &pack(&[reader.0]))
}

/// The reader of a manage token. Tokens in older issues contain the newsletter before the reader; such mails are still
/// in inboxes.
#[must_use]
pub fn open_manage(keys: &Keys, token: &str) -> Option<ReaderId> {
    let payload = keys.open(Purpose::Manage, token).ok()?;
    let with_newsletter = || unpack::<2>(&payload).map(|[_, reader]| [reader]);
    let [reader] = unpack(&payload).or_else(with_newsletter)?;
    Some(ReaderId(reader))
}

/// The token for the cookie that signs a reader in.
#[must_use]
pub fn archive_token(keys: &Keys, reader: ReaderId, now: UnixMillis) -> String {
    keys.seal(Purpose::Archive, &pack(&[reader.0, now.0]))
}

/// The reader who is signed in by this cookie, unless the sign-in is too old.
#[must_use]
pub fn open_archive(keys: &Keys, token: &str, now: UnixMillis) -> Option<ReaderId> {
    let [reader, at] = unpack(&keys.open(Purpose::Archive, token).ok()?)?;
    (now.since(UnixMillis(at)) <= SIGNED_IN_FOR).then_some(ReaderId(reader))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Secret;

    #[test]
    fn every_token_opens_for_its_own_purpose_only() {
        let keys = Keys::new(&Secret::new("0123456789abcdef0123456789abcdef")).expect("a key");
        let now = UnixMillis(1_700_000_000_000);
        let (newsletter, reader) = (NewsletterId(3), ReaderId(70_000));
        let tokens = [
            unsubscribe_token(&keys, newsletter, reader),
            manage_token(&keys, reader),
            archive_token(&keys, reader, now),
        ];
        for (at, token) in tokens.iter().enumerate() {
            let opened = [
                open_unsubscribe(&keys, token) == Some((newsletter, reader)),
                open_manage(&keys, token) == Some(reader),
                open_archive(&keys, token, now) == Some(reader),
            ];
            for (purpose, opened) in opened.into_iter().enumerate() {
                assert_eq!(opened, purpose == at, "token {at} for purpose {purpose}");
            }
        }
    }

    #[test]
    fn what_expires_expires() {
        let keys = Keys::new(&Secret::new("0123456789abcdef0123456789abcdef")).expect("a key");
        let then = UnixMillis(1_700_000_000_000);
        let late = then + SIGNED_IN_FOR + Duration::from_secs(1);
        assert_eq!(
            open_archive(&keys, &archive_token(&keys, ReaderId(1), then), late),
            None
        );
    }
}
