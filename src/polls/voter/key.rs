//! The kinds of voters and their keys. Pure.
//!
//! The key of a browser begins with the time at which its marker was made, in the poll for which it was made and in
//! no other. So the rows of readers who answer at the same time are adjacent in the table, and a commit of a hundred
//! ballots writes a few database pages instead of a hundred. The key reveals no more than the row does, which
//! contains the time of the ballot.

use aws_lc_rs::hmac;

use super::marker::born_in;
use crate::polls::ballots::VoterKey;
use crate::polls::model::{Poll, Tier};
use crate::types::ReaderId;

/// A voter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Voter {
    /// A browser, by the marker in its cookie (or, on other sites' pages, in that site's own storage).
    Browser(String),
    /// The same browser with proof of work: see `polls::trust`.
    Worked(String),
    /// A person that a script identifies by a name of its own, never an address.
    Named(String),
    /// A confirmed subscriber.
    Subscriber(ReaderId),
    /// The same reader, signed in to this browser.
    SignedIn(ReaderId),
    /// Somebody who answered in another poll system: the number of their ballot in the import.
    Carried(u64),
}

impl Voter {
    /// The tier of this voter.
    pub fn tier(&self) -> Tier {
        match self {
            Self::Browser(_) | Self::Named(_) | Self::Carried(_) => Tier::Anonymous,
            Self::Worked(_) => Tier::Worked,
            Self::Subscriber(_) => Tier::Subscriber,
            Self::SignedIn(_) => Tier::SignedIn,
        }
    }

    /// Whether the poll asks this voter: a poll with a sample asks only the readers who were drawn.
    pub fn is_asked_by(&self, poll: &Poll) -> bool {
        match (poll.sample(), self) {
            (None, _) => true,
            (Some(sample), Self::Subscriber(reader) | Self::SignedIn(reader)) => {
                sample.holds(*reader)
            }
            (Some(_), _) => false,
        }
    }

    /// The voter's key in `poll`.
    pub fn key(&self, poll: &Poll) -> VoterKey {
        let mut context = poll.secret.mac();
        let mut moment = None;
        match self {
            Self::Browser(marker) | Self::Worked(marker) => {
                context.update(b"browser\0");
                context.update(marker.as_bytes());
                moment = born_in(poll.id, marker);
            }
            Self::Named(name) => {
                context.update(b"named\0");
                context.update(name.as_bytes());
            }
            Self::Carried(number) => {
                context.update(b"carried\0");
                context.update(&number.to_be_bytes());
            }
            Self::Subscriber(reader) | Self::SignedIn(reader) => {
                context.update(b"reader\0");
                context.update(&reader.0.to_be_bytes());
            }
        }
        let mut key: VoterKey = first(context.sign());
        if let Some(moment) = moment {
            key[..moment.len()].copy_from_slice(&moment);
        }
        key
    }
}

/// A hash of `value` in `domain`. It can be verified by trying values as long as the poll's secret
/// exists, and not afterwards.
pub fn hash_under(poll: &Poll, domain: &str, value: &[u8]) -> [u8; 32] {
    let mut context = poll.secret.mac();
    context.update(domain.as_bytes());
    context.update(b"\0");
    context.update(value);
    first(context.sign())
}

/// The first bytes of a MAC.
pub(super) fn first<const N: usize>(tag: hmac::Tag) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&tag.as_ref()[..N]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polls::model::{PollSecret, example};

    #[test]
    fn a_key_means_nothing_in_another_poll() {
        let (one, mut other) = (example::single(&["a", "b"]), example::single(&["a", "b"]));
        other.secret = PollSecret::new(vec![8; 32]);
        let voter = Voter::Subscriber(ReaderId(5));
        assert_eq!(voter.key(&one), voter.key(&one));
        assert_ne!(voter.key(&one), voter.key(&other));
    }

    #[test]
    fn kinds_of_voters_do_not_collide() {
        let poll = example::single(&["a", "b"]);
        assert_ne!(
            Voter::Browser("x".into()).key(&poll),
            Voter::Named("x".into()).key(&poll)
        );
        assert_eq!(
            Voter::Browser("x".into()).key(&poll),
            Voter::Worked("x".into()).key(&poll),
            "work makes no other voter"
        );
    }
}
