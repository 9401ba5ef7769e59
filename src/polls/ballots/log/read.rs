//! Decodes the pages of the log, exactly as [`super::write()`] encodes them. Pure.

use super::{Ballot, Entry, Hash, Malformed, Terms, Wording};
use crate::types::{UnixMillis, varint};

/// Reads all entries of a page.
///
/// # Errors
/// The position of the first byte that cannot be decoded.
pub fn read(entries: &[u8]) -> Result<Vec<Entry<'_>>, Malformed> {
    let mut reader = Reader {
        bytes: entries,
        at: 0,
    };
    let mut found = Vec::new();
    while reader.at < entries.len() {
        let start = reader.at;
        found.push(reader.entry().ok_or(Malformed(start))?);
    }
    Ok(found)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(n)?)?;
        self.at += n;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn number(&mut self) -> Option<i64> {
        let mut rest = self.bytes.get(self.at..)?;
        let number = varint::read(&mut rest)?;
        self.at = self.bytes.len() - rest.len();
        Some(number)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length)
    }

    fn ballot(&mut self) -> Option<Ballot<'a>> {
        Some(Ballot {
            voter: self.array()?,
            revision: self.number()?,
            tier: i16::try_from(self.number()?).ok()?,
            place: i16::try_from(self.number()?).ok()?,
            network: self
                .bytes()
                .map(|bytes| Some(bytes).filter(|b| !b.is_empty()))?,
            choices: self.bytes()?,
        })
    }

    fn time(&mut self) -> Option<UnixMillis> {
        self.array()
            .map(|bytes| UnixMillis(i64::from_be_bytes(bytes)))
    }

    fn wording(&mut self) -> Option<Wording> {
        let mut wording = Wording::default();
        for _ in 0..self.number()? {
            wording.questions.push((self.number()?, self.array()?));
        }
        for _ in 0..self.number()? {
            wording
                .options
                .push((self.number()?, self.number()?, self.array()?));
        }
        Some(wording)
    }

    fn terms(&mut self) -> Option<Terms> {
        Some(Terms {
            poll: self.array()?,
            questions: self.hashes()?,
            options: self.hashes()?,
        })
    }

    fn hashes(&mut self) -> Option<Vec<(i64, Hash)>> {
        let mut hashes = Vec::new();
        for _ in 0..self.number()? {
            hashes.push((self.number()?, self.array()?));
        }
        Some(hashes)
    }

    fn entry(&mut self) -> Option<Entry<'a>> {
        let [kind] = self.array()?;
        Some(match kind {
            1 => Entry::Cast(self.ballot()?),
            2 => Entry::Changed(self.ballot()?),
            3 => Entry::Found {
                ballot: self.ballot()?,
                cast: self.time()?,
                changed: self.time()?,
            },
            4 => Entry::SetAside {
                voter: self.array()?,
                revision: self.number()?,
                removal: self.number()?,
            },
            5 => Entry::GivenBack {
                voter: self.array()?,
                revision: self.number()?,
                removal: self.number()?,
            },
            6 => Entry::Removal {
                number: self.number()?,
                reason: self.array()?,
                ballots: self.number()?,
            },
            7 => Entry::Undone {
                number: self.number()?,
                ballots: self.number()?,
            },
            8 => Entry::Wording(self.wording()?),
            9 => Entry::Received {
                ballot: self.ballot()?,
                cast: self.time()?,
            },
            10 => Entry::HandedOver {
                voter: self.array()?,
                revision: self.number()?,
            },
            11 => Entry::Ruled {
                option: self.number()?,
                words: self.array()?,
                shown: match self.array()? {
                    [0] => None,
                    [1] => Some(self.array()?),
                    _ => return None,
                },
            },
            12 => Entry::Mailed {
                issue: self.number()?,
                ballots: self.number()?,
            },
            13 => Entry::Whole,
            14 => Entry::Terms(self.terms()?),
            _ => return None,
        })
    }
}
