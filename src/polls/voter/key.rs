//! The kinds of voters and their keys. Pure.
//!
//! The key of a browser begins with the moment its marker was made, in the poll it was made for and in no other. Those who answer at
//! the same time stand side by side in the table then, and a commit of a hundred ballots writes a few pages instead of a hundred. It
//! tells nothing more than the row does, which holds the time of the ballot.

use aws_lc_rs::hmac;

use super::marker::born_in;
use crate::polls::ballots::VoterKey;
use crate::polls::model::{Poll, Tier};
use crate::types::ReaderId;

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Voter {
    /// A browser, by the marker in its cookie (or, on other sites' pages, in that site's own storage).
    Browser(String),
    /// A browser that is given its marker with the answer to this: nobody else has it, so there is no ballot of it.
    New(String),
    /// The same browser, after it did some work: see [`crate::polls::trust`].
    Worked(String),
    /// A person a connected service vouches for by a name of its own, never an address.
    Named(String),
    /// A confirmed subscriber.
    Subscriber(ReaderId),
    /// The same reader, signed in in this browser.
    SignedIn(ReaderId),
    /// Somebody who answered in another poll system: a number in the order of its ballots.
    Carried(u64),
}

impl Voter {
    /// How much this tells about the voter.
    pub fn tier(&self) -> Tier {
        match self {
            Self::Browser(_) | Self::New(_) | Self::Named(_) | Self::Carried(_) => Tier::Anonymous,
            Self::Worked(_) => Tier::Worked,
            Self::Subscriber(_) => Tier::Subscriber,
            Self::SignedIn(_) => Tier::SignedIn,
        }
    }

    /// Whether the poll asks this voter: a poll with a sample asks those who were drawn, by their personal links.
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
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &poll.secret.0);
        let mut context = hmac::Context::with_key(&secret);
        let mut born = None;
        match self {
            Self::Browser(marker) | Self::New(marker) | Self::Worked(marker) => {
                context.update(b"browser\0");
                context.update(marker.as_bytes());
                born = born_in(poll.id, marker);
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
        if let Some(moment) = born {
            key[..moment.len()].copy_from_slice(&moment);
        }
        key
    }
}

/// A hash of `value` in `domain` that can be found by trying as long as the poll's secret is there, and not afterwards.
pub fn hash_under(poll: &Poll, domain: &str, value: &[u8]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &poll.secret.0));
    context.update(domain.as_bytes());
    context.update(b"\0");
    context.update(value);
    first(context.sign())
}

/// What stands first in a code: as much of it as is wanted.
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
        other.secret = PollSecret(vec![8; 32]);
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
