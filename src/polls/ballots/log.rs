//! The log of the ballot box: how its pages are encoded, decoded and chained. Pure.
//!
//! A page records what one commit did to one poll. Its hash covers everything on it and the hash of the page before it,
//! so nothing can be changed, removed or inserted without changing every hash that follows:
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
//!   13 whole              nothing: the chain records entries 11 and 12 as well
//!   14 terms              hash | n | n × (question | hash) | m | m × (option | hash)     see [`Terms`]
//! ballot = key (16 bytes) | revision | tier | place | length and bytes of the network | length and bytes of the choices
//! ```
//!
//! Numbers within entries are unsigned LEB128, except the times. A ballot's revision is 0 when it is cast and increases
//! by one with every entry about it, so the pages of several nodes can be merged in only one way.
//!
//! This file defines the entries and the hashes; `write` and `read` encode and decode them.

mod read;
mod terms;
mod write;

use aws_lc_rs::digest::{Context, SHA256, digest};

pub use self::read::read;
pub use self::terms::Terms;
pub use self::write::write;
use super::slip::VoterKey;
use crate::polls::model::Poll;
use crate::types::{PollId, UnixMillis};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

const DOMAIN: &[u8] = b"canvass ballot log 1\0";

/// The end of a chain: the number of its last page, from 1, and the hash of that page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head {
    pub seq: i64,
    pub hash: Hash,
}

/// What a ballot says, as stored in its row.
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
    /// The number of ballots cast on this page that came by the mails of an issue.
    Mailed {
        issue: i64,
        ballots: i64,
    },
    /// The first entry of a chain that also records words and mails.
    Whole,
    Terms(Terms),
}

/// What the poll asks: the hashes of its texts, so that swapped labels are detected like swapped ballots.
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

/// Bytes that are not valid entries.
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

#[cfg(test)]
mod tests;
