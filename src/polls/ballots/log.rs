//! The log of the ballot box: how its pages are written, read and chained. Pure.
//!
//! A page holds what one commit did to one poll. Its hash covers everything that is on it and the hash of the page before
//! it, so nothing can be changed, taken out or put in between without changing every hash that follows:
//!
//! ```text
//! hash  = SHA-256("canvass ballot log 1" 00 | poll | slot | seq | at_ms | hash before (32 bytes, zero for the first) | entries)
//! entry = kind (1 byte) | …                                     numbers above: 8 bytes, big endian
//!   1 cast, 2 changed     ballot                                 the ballot as it is from now on
//!   3 found               ballot | cast_ms | changed_ms          it was there before there was a log
//!   4 set aside, 5 given back   key | revision | removal
//!   6 removal             removal | SHA-256(reason) | ballots    an editor's decision; the ballots follow
//!   7 undone              removal | ballots
//!   8 wording             n | n × (question | SHA-256(text)) | m | m × (option | question | SHA-256(label))
//!   9 received              ballot | cast_ms                      a reader's, from a browser that turned out to be theirs
//!   10 handed over          key | revision                       a browser's, that counts as its reader's now
//!   11 words ruled on     option | key (16 bytes) | 1 and SHA-256(what shows), or 0
//!   12 came by mail       issue | ballots
//!   13 whole              nothing: the chain tells of 11 and 12
//! ballot = key (16 bytes) | revision | tier | place | length and bytes of the network | length and bytes of the choices
//! ```
//!
//! Numbers within entries are unsigned LEB128, except the times. A ballot's revision is 0 when it is cast and rises by one
//! with every entry about it: so the pages of several nodes fit together in one way only.

use aws_lc_rs::digest::{Context, SHA256, digest};

use super::slip::VoterKey;
use crate::polls::model::Poll;
use crate::types::{PollId, UnixMillis};

/// A SHA-256.
pub type Hash = [u8; 32];

pub use super::log_read::read;

const DOMAIN: &[u8] = b"canvass ballot log 1\0";

/// The end of a chain: the number of its last page, from 1, and that page's hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    pub seq: i64,
    pub hash: Hash,
}

/// What a ballot says, as its row keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ballot<'a> {
    pub voter: VoterKey,
    pub revision: i64,
    pub tier: i16,
    pub place: i16,
    pub network: Option<&'a [u8]>,
    pub choices: &'a [u8],
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry<'a> {
    Cast(Ballot<'a>),
    Changed(Ballot<'a>),
    Found {
        ballot: Ballot<'a>,
        cast: UnixMillis,
        changed: UnixMillis,
    },
    SetAside {
        voter: VoterKey,
        revision: i64,
        removal: i64,
    },
    GivenBack {
        voter: VoterKey,
        revision: i64,
        removal: i64,
    },
    Removal {
        number: i64,
        reason: Hash,
        ballots: i64,
    },
    Undone {
        number: i64,
        ballots: i64,
    },
    Wording(Wording),
    Received {
        ballot: Ballot<'a>,
        cast: UnixMillis,
    },
    HandedOver {
        voter: VoterKey,
        revision: i64,
    },
    /// What readers see of words from now on; `None`: nothing.
    Ruled {
        option: i64,
        words: [u8; 16],
        shown: Option<Hash>,
    },
    /// So many ballots that were cast on this page came by the mails of an issue.
    Mailed {
        issue: i64,
        ballots: i64,
    },
    /// The first of a chain that tells of words and mails as well.
    Whole,
}

/// What the poll asks: the hashes of its words, so that swapped labels are found like swapped ballots.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wording {
    /// Key and text.
    pub questions: Vec<(i64, Hash)>,
    /// Id, the question's key, and label.
    pub options: Vec<(i64, i64, Hash)>,
}

impl Wording {
    pub fn of(poll: &Poll) -> Self {
        Self {
            questions: poll
                .questions
                .iter()
                .map(|question| (question.key, sha256(question.text.as_bytes())))
                .collect(),
            options: poll
                .questions
                .iter()
                .flat_map(|question| {
                    question
                        .options
                        .iter()
                        .map(|option| (option.id.0, question.key, sha256(option.label.as_bytes())))
                })
                .collect(),
        }
    }
}

/// Bytes that are no entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the entries cannot be read from byte {0} on")]
pub struct Malformed(pub usize);

/// The hash of a page that follows `before`.
pub fn page_hash(poll: PollId, slot: i64, before: Head, at: UnixMillis, entries: &[u8]) -> Head {
    let seq = before.seq + 1;
    let mut context = Context::new(&SHA256);
    context.update(DOMAIN);
    for number in [poll.0, slot, seq, at.0] {
        context.update(&number.to_be_bytes());
    }
    context.update(&before.hash);
    context.update(entries);
    Head {
        seq,
        hash: finished(context),
    }
}

/// The ends of all chains of a poll as one hash, `slots` in order.
pub fn head_of_all(poll: PollId, slots: &[(i64, Head)]) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(b"canvass ballot heads 1\0");
    context.update(&poll.0.to_be_bytes());
    for (slot, head) in slots {
        context.update(&slot.to_be_bytes());
        context.update(&head.seq.to_be_bytes());
        context.update(&head.hash);
    }
    finished(context)
}

pub fn sha256(bytes: &[u8]) -> Hash {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    out
}

/// What was hashed so far.
pub fn finished(context: Context) -> Hash {
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}

/// The hash as people compare it: hexadecimal.
pub fn hex(hash: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(hash)
}

/// Appends an entry.
pub fn write(out: &mut Vec<u8>, entry: &Entry<'_>) {
    match entry {
        Entry::Cast(ballot) => write_ballot(out, 1, ballot),
        Entry::Changed(ballot) => write_ballot(out, 2, ballot),
        Entry::Found {
            ballot,
            cast,
            changed,
        } => {
            write_ballot(out, 3, ballot);
            out.extend(cast.0.to_be_bytes());
            out.extend(changed.0.to_be_bytes());
        }
        Entry::SetAside {
            voter,
            revision,
            removal,
        } => {
            out.push(4);
            out.extend(voter);
            numbers(out, &[*revision, *removal]);
        }
        Entry::GivenBack {
            voter,
            revision,
            removal,
        } => {
            out.push(5);
            out.extend(voter);
            numbers(out, &[*revision, *removal]);
        }
        Entry::Removal {
            number,
            reason,
            ballots,
        } => {
            out.push(6);
            numbers(out, &[*number]);
            out.extend(reason);
            numbers(out, &[*ballots]);
        }
        Entry::Undone { number, ballots } => {
            out.push(7);
            numbers(out, &[*number, *ballots]);
        }
        Entry::Wording(wording) => {
            out.push(8);
            numbers(out, &[length(&wording.questions)]);
            for (key, text) in &wording.questions {
                numbers(out, &[*key]);
                out.extend(text);
            }
            numbers(out, &[length(&wording.options)]);
            for (id, key, label) in &wording.options {
                numbers(out, &[*id, *key]);
                out.extend(label);
            }
        }
        Entry::Received { ballot, cast } => {
            write_ballot(out, 9, ballot);
            out.extend(cast.0.to_be_bytes());
        }
        Entry::HandedOver { voter, revision } => {
            out.push(10);
            out.extend(voter);
            numbers(out, &[*revision]);
        }
        Entry::Ruled {
            option,
            words,
            shown,
        } => {
            out.push(11);
            numbers(out, &[*option]);
            out.extend(words);
            out.push(u8::from(shown.is_some()));
            out.extend(shown.iter().flatten());
        }
        Entry::Mailed { issue, ballots } => {
            out.push(12);
            numbers(out, &[*issue, *ballots]);
        }
        Entry::Whole => out.push(13),
    }
}

fn write_ballot(out: &mut Vec<u8>, kind: u8, ballot: &Ballot<'_>) {
    out.push(kind);
    out.extend(ballot.voter);
    let network = ballot.network.unwrap_or_default();
    numbers(
        out,
        &[
            ballot.revision,
            ballot.tier.into(),
            ballot.place.into(),
            length(network),
        ],
    );
    out.extend(network);
    numbers(out, &[length(ballot.choices)]);
    out.extend(ballot.choices);
}

fn length<T>(items: &[T]) -> i64 {
    i64::try_from(items.len()).unwrap_or(i64::MAX)
}

fn numbers(out: &mut Vec<u8>, numbers: &[i64]) {
    for &number in numbers {
        let mut rest = number as u64;
        while rest >= 0x80 {
            out.push((rest as u8) | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn every_kind<'a>(network: Option<&'a [u8]>, choices: &'a [u8], n: i64) -> Vec<Entry<'a>> {
        let ballot = Ballot {
            voter: [7; 16],
            revision: n,
            tier: 2,
            place: 3,
            network,
            choices,
        };
        vec![
            Entry::Cast(ballot),
            Entry::Changed(ballot),
            Entry::Found {
                ballot,
                cast: UnixMillis(n),
                changed: UnixMillis(-n),
            },
            Entry::SetAside {
                voter: [1; 16],
                revision: n,
                removal: n,
            },
            Entry::GivenBack {
                voter: [2; 16],
                revision: n,
                removal: n,
            },
            Entry::Removal {
                number: n,
                reason: [3; 32],
                ballots: n,
            },
            Entry::Undone {
                number: n,
                ballots: n,
            },
            Entry::Ruled {
                option: n,
                words: [8; 16],
                shown: (n % 2 == 0).then_some([9; 32]),
            },
            Entry::Mailed {
                issue: n,
                ballots: n,
            },
            Entry::Whole,
            Entry::Wording(Wording {
                questions: vec![(n, [4; 32])],
                options: vec![(n, 1, [5; 32]), (2, 1, [6; 32])],
            }),
            Entry::Received {
                ballot,
                cast: UnixMillis(n),
            },
            Entry::HandedOver {
                voter: [8; 16],
                revision: n,
            },
        ]
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(network in proptest::collection::vec(any::<u8>(), 1..9), choices in proptest::collection::vec(any::<u8>(), 0..40), n in 0..i64::MAX) {
            let entries = every_kind(Some(&network), &choices, n);
            let mut page = Vec::new();
            for entry in &entries {
                write(&mut page, entry);
            }
            prop_assert_eq!(read(&page).expect("readable"), entries);
        }

        #[test]
        fn nonsense_is_refused_and_not_followed(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(entries) = read(&bytes) {
                prop_assert!(entries.len() <= bytes.len());
            }
        }

        #[test]
        fn one_flipped_bit_changes_the_hash(bit in 0_usize..8 * 40, choices in proptest::collection::vec(any::<u8>(), 40)) {
            let before = Head { seq: 3, hash: [9; 32] };
            let hash = page_hash(PollId(1), 0, before, UnixMillis(5), &choices);
            let mut flipped = choices;
            flipped[bit / 8] ^= 1 << (bit % 8);
            prop_assert_ne!(page_hash(PollId(1), 0, before, UnixMillis(5), &flipped), hash);
        }
    }

    /// The layout is a public contract: a hash that was published must be found again by every later version.
    #[test]
    fn the_layout_stays() {
        let mut page = Vec::new();
        for entry in every_kind(None, &[101], 300) {
            write(&mut page, &entry);
        }
        assert_eq!(&page[..24], b"\x01\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\xac\x02\x02\x03\x00\x01\x65");
        let head = page_hash(PollId(1), 2, Head::default(), UnixMillis(4), &page);
        assert_eq!(head.seq, 1);
        let mut by_hand = b"canvass ballot log 1\0".to_vec();
        for number in [1_i64, 2, 1, 4] {
            by_hand.extend(number.to_be_bytes());
        }
        by_hand.extend([0; 32]);
        by_hand.extend(page);
        assert_eq!(head.hash, sha256(&by_hand));
    }
}
