//! Recomputes the ballots, and the numbers they must add up to, from the pages of the log. Pure.
//!
//! This file sums up a poll's pages; `steps` follows a single ballot.

mod steps;

use std::collections::{BTreeMap, HashMap};

use self::steps::Step;
use super::counts::Seen;
use super::details_store::Details;
use super::hand_over::HANDED_OVER;
use super::log::{Entry, Hash, Malformed, Terms, Wording, read};
use super::slip::VoterKey;
use super::verify_share::Share;
use crate::polls::model::Poll;
use crate::types::{OptionId, UnixMillis};

/// A ballot as its row should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) choices: Vec<u8>,
    pub(super) tier: i16,
    pub(super) place: i16,
    pub(super) network: Option<Vec<u8>>,
    pub(super) cast: UnixMillis,
    pub(super) changed: UnixMillis,
    pub(super) revision: i64,
    pub(super) removed: Option<i64>,
}

/// A removal as its row should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Removed {
    pub(super) reason: Hash,
    pub(super) at: UnixMillis,
    pub(super) ballots: i64,
    pub(super) undone: Option<UnixMillis>,
}

/// The sum of the pages read so far.
#[derive(Debug)]
pub(super) struct Replay<'a> {
    poll: &'a Poll,
    /// The ballots checked in this pass. Everything else in the log is summed up with the first share.
    pub(super) share: Share,
    /// The ballots of the share.
    pub(super) ballots: HashMap<VoterKey, Held>,
    /// By option, tier and slot.
    pub(super) tally: BTreeMap<(OptionId, i64, i64), i64>,
    /// By slot.
    pub(super) details: BTreeMap<i64, Details>,
    /// By place and slot.
    pub(super) places: BTreeMap<(i64, i64), Seen>,
    pub(super) removals: BTreeMap<i64, Removed>,
    /// The number of ballots that were handed over while this removal had set them aside.
    pub(super) gone: BTreeMap<i64, i64>,
    pub(super) wordings: Vec<Wording>,
    pub(super) terms: Vec<Terms>,
    /// First casts by hour, tier and slot.
    pub(super) hours: BTreeMap<(i64, i64, i64), i64>,
    /// Ballots from mails, by issue and slot.
    pub(super) mails: BTreeMap<(i64, i64), i64>,
    /// What readers see of words, by option and key, and since when; `None`: nothing.
    pub(super) ruled: BTreeMap<(i64, [u8; 16]), (UnixMillis, Option<Hash>)>,
    /// For each chain, whether it has recorded mails and words from its first page on.
    pub(super) whole: BTreeMap<i64, bool>,
    pub(super) entries: i64,
    /// Entries read before the one they follow, which is on another node's page.
    early: HashMap<VoterKey, BTreeMap<i64, Step>>,
    /// Inconsistencies in the log.
    pub(super) odd: Vec<String>,
}

impl<'a> Replay<'a> {
    pub(super) fn of(poll: &'a Poll) -> Self {
        Self {
            poll,
            share: Share::default(),
            ballots: HashMap::new(),
            tally: BTreeMap::new(),
            details: BTreeMap::new(),
            places: BTreeMap::new(),
            removals: BTreeMap::new(),
            gone: BTreeMap::new(),
            wordings: Vec::new(),
            terms: Vec::new(),
            hours: BTreeMap::new(),
            mails: BTreeMap::new(),
            ruled: BTreeMap::new(),
            whole: BTreeMap::new(),
            entries: 0,
            early: HashMap::new(),
            odd: Vec::new(),
        }
    }

    /// The poll whose pages these are.
    pub(super) fn poll(&self) -> &'a Poll {
        self.poll
    }

    /// Starts reading the log again from its beginning, for the ballots of this share. The others are
    /// forgotten; their sums are kept.
    pub(super) fn begin(&mut self, share: Share) {
        self.share = share;
        self.ballots.clear();
        self.early.clear();
    }

    /// Adds the next page of a slot.
    ///
    /// # Errors
    /// The bytes are not valid entries.
    pub(super) fn page(
        &mut self,
        slot: i64,
        at: UnixMillis,
        entries: &[u8],
    ) -> Result<(), Malformed> {
        for entry in read(entries)? {
            if self.share.is_first() {
                self.entries += 1;
                self.take_up(slot, at, &entry);
            }
            self.follow(slot, at, &entry);
        }
        Ok(())
    }

    /// Adds what an entry says beyond the ballot it is about.
    fn take_up(&mut self, slot: i64, at: UnixMillis, entry: &Entry<'_>) {
        let whole = self.whole.entry(slot).or_insert(*entry == Entry::Whole);
        // For ballots from before the log, it is not known how they came.
        *whole &= !matches!(entry, Entry::Found { .. });
        match entry {
            Entry::Cast(ballot) => {
                let hour = (at.hour().0, ballot.tier.into(), slot);
                *self.hours.entry(hour).or_default() += 1;
            }
            Entry::Mailed { issue, ballots } => {
                *self.mails.entry((*issue, slot)).or_default() += ballots;
            }
            Entry::Ruled {
                option,
                words,
                shown,
            } => {
                let known = self.ruled.entry((*option, *words)).or_insert((at, *shown));
                if known.0 <= at {
                    *known = (at, *shown);
                }
            }
            Entry::Removal {
                number,
                reason,
                ballots,
            } => {
                let removed = Removed {
                    reason: *reason,
                    at,
                    ballots: *ballots,
                    undone: self.removals.get(number).and_then(|known| known.undone),
                };
                self.removals.insert(*number, removed);
            }
            // Another node may have undone it, on a page that is read before the one with the removal.
            Entry::Undone { number, .. } => {
                let known = self.removals.entry(*number).or_insert(Removed {
                    reason: Hash::default(),
                    at,
                    ballots: 0,
                    undone: None,
                });
                known.undone = Some(at);
            }
            Entry::Wording(wording) => self.wordings.push(wording.clone()),
            Entry::Terms(terms) => self.terms.push(terms.clone()),
            Entry::Whole
            | Entry::Found { .. }
            | Entry::Received { .. }
            | Entry::Changed(_)
            | Entry::HandedOver { .. }
            | Entry::SetAside { .. }
            | Entry::GivenBack { .. } => {}
        }
    }

    /// Whether every chain records mails, words, and the hour of every ballot.
    pub(super) fn is_whole(&self) -> bool {
        self.whole.values().all(|whole| *whole)
    }

    /// The number of entries whose predecessor was never found.
    pub(super) fn orphans(&self) -> usize {
        self.early.values().map(BTreeMap::len).sum()
    }

    /// The number of ballots that an editor set aside.
    pub(super) fn set_aside(&self) -> i64 {
        let aside = self
            .ballots
            .values()
            .filter(|ballot| ballot.removed.is_some_and(|removal| removal != HANDED_OVER));
        i64::try_from(aside.count()).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests;
