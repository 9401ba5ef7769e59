//! Who answered, as far as the ballot box needs to know: a key that means nothing outside its poll.
//!
//! A browser is known by a marker that is made when it first answers, a subscriber by the personal link in a mail.
//! Both become an HMAC under the poll's secret: the same reader has unrelated keys in two polls, and
//! once a secret poll's secret is destroyed no key leads back to anybody.
//!
//! The key of a browser begins with the moment its marker was made, in the poll it was made for and in no other. Those who answer at
//! the same time stand side by side in the table then, and a commit of a hundred ballots writes a few pages instead of a hundred. It
//! tells nothing more than the row does, which holds the time of the ballot.

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::ballots::VoterKey;
use super::model::{Poll, Tier};
use crate::types::{PollId, Random, ReaderId, UnixMillis};

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Voter {
    /// A browser, by the marker in its cookie (or, on other sites' pages, in that site's own storage).
    Browser(String),
    /// The same browser, after it did some work: see [`super::trust`].
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
            Self::Browser(_) | Self::Named(_) | Self::Carried(_) => Tier::Anonymous,
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
            Self::Browser(marker) | Self::Worked(marker) => {
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

/// A marker's first bytes name the poll it was made for, the next ones the moment; the rest, 80 bits, is chance.
type Part = [u8; 3];

/// How the markers made for a poll begin.
fn mark(poll: PollId) -> Part {
    let mut text = b"canvass marker\0".to_vec();
    text.extend(poll.0.to_be_bytes());
    let mut out = [0; 3];
    out.copy_from_slice(&digest(&SHA256, &text).as_ref()[..3]);
    out
}

/// The same as a number, for pages of other sites, which make their markers themselves.
pub fn mark_number(poll: PollId) -> u32 {
    let [a, b, c] = mark(poll);
    u32::from_be_bytes([0, a, b, c])
}

/// A marker for a browser that first answers `poll` now. `chance`: 128 random bits, of which 80 are used.
pub fn new_marker(poll: PollId, now: UnixMillis, chance: [u8; 16]) -> String {
    let mut marker = chance;
    marker[..3].copy_from_slice(&mark(poll));
    // Steps of 8 ms: as many ballots as one commit takes. It begins again after 37 hours, which only means another place in the table.
    marker[3..6].copy_from_slice(&(now.0 / 8).to_be_bytes()[5..]);
    URL_SAFE_NO_PAD.encode(marker)
}

/// When the marker was made, if it was made for this poll.
fn born_in(poll: PollId, marker: &str) -> Option<Part> {
    let begins = URL_SAFE_NO_PAD.decode(marker.get(..8)?).ok()?;
    let moment = begins.strip_prefix(&mark(poll))?;
    moment.try_into().ok()
}

/// Whether `text` can be a marker of ours: 22 characters of base64url, 128 bits.
pub fn is_marker(text: &str) -> bool {
    text.len() == 22
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// A hash of a client's network that holds for one day in this process and cannot be turned back afterwards:
/// the secret is random, lives in memory only and is thrown away at midnight (UTC).
#[derive(Debug)]
pub struct NetworkOfTheDay {
    random: Random,
    today: Mutex<(i64, [u8; 32])>,
}

const DAY_MS: i64 = 86_400_000;

impl NetworkOfTheDay {
    pub fn new(random: Random) -> Self {
        Self {
            random,
            today: Mutex::new((i64::MIN, [0; 32])),
        }
    }

    /// The hash of a client's network (see [`crate::web::Client::network`]).
    pub fn hash(&self, network: &[u8], now: UnixMillis) -> [u8; 8] {
        let day = now.0.div_euclid(DAY_MS);
        let secret = {
            let mut today = self.today.lock().unwrap_or_else(PoisonError::into_inner);
            if today.0 != day {
                *today = (day, self.random.bytes());
            }
            today.1
        };
        first(hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, &secret),
            network,
        ))
    }
}

fn first<const N: usize>(tag: hmac::Tag) -> [u8; N] {
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

    #[test]
    fn those_who_first_answer_together_stand_together_and_in_no_other_poll() {
        let (one, mut other) = (example::single(&["a", "b"]), example::single(&["a", "b"]));
        other.id = PollId(one.id.0 + 1);
        let random = Random::seeded(4);
        let now = UnixMillis(1_800_000_000_000);
        let voters: Vec<Voter> = (0..3)
            .map(|_| new_marker(one.id, now, random.bytes()))
            .inspect(|marker| assert!(is_marker(marker)))
            .map(Voter::Browser)
            .collect();
        let begins = |poll: &Poll| -> std::collections::BTreeSet<Vec<u8>> {
            let keys = voters.iter().map(|voter| voter.key(poll));
            keys.map(|key| key[..3].to_vec()).collect()
        };
        assert_eq!(begins(&one).len(), 1);
        assert_eq!(
            begins(&other).len(),
            3,
            "the moment stands in one poll alone"
        );
        let later = new_marker(one.id, UnixMillis(now.0 + 8), random.bytes());
        assert!(Voter::Browser(later).key(&one) > voters[0].key(&one));
    }

    #[test]
    fn a_network_is_forgotten_overnight() {
        let networks = NetworkOfTheDay::new(Random::seeded(3));
        let today = networks.hash(b"\xc0\0\x02", UnixMillis(DAY_MS / 2));
        assert_eq!(today, networks.hash(b"\xc0\0\x02", UnixMillis(DAY_MS - 1)));
        assert_ne!(today, networks.hash(b"\xc0\0\x03", UnixMillis(DAY_MS / 2)));
        assert_ne!(today, networks.hash(b"\xc0\0\x02", UnixMillis(DAY_MS)));
    }
}
