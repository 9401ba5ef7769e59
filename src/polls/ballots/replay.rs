//! From the pages of the log back to the ballots and the numbers they must add up to. Pure.

use std::collections::{BTreeMap, HashMap};

use super::counts::{Seen, counted};
use super::details_store::Details;
use super::hand_over::HANDED_OVER;
use super::log::{Ballot, Entry, Hash, Malformed, Wording, read};
use super::slip::VoterKey;
use crate::polls::choice::Choice;
use crate::polls::model::{Poll, Tier};
use crate::types::{OptionId, UnixMillis};

/// A ballot as its row must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) choices: Vec<u8>,
    pub(super) tier: i64,
    pub(super) place: i64,
    pub(super) network: Option<Vec<u8>>,
    pub(super) cast: UnixMillis,
    pub(super) changed: UnixMillis,
    pub(super) revision: i64,
    pub(super) removed: Option<i64>,
}

/// A removal as its row must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Removed {
    pub(super) reason: Hash,
    pub(super) at: UnixMillis,
    pub(super) ballots: i64,
    pub(super) undone: Option<UnixMillis>,
}

/// What the pages read so far add up to.
#[derive(Debug)]
pub(super) struct Replay<'a> {
    poll: &'a Poll,
    pub(super) ballots: HashMap<VoterKey, Held>,
    /// By option, tier and slot.
    pub(super) tally: BTreeMap<(OptionId, i64, i64), i64>,
    /// By slot.
    pub(super) details: BTreeMap<i64, Details>,
    /// By place and slot.
    pub(super) places: BTreeMap<(i64, i64), Seen>,
    pub(super) removals: BTreeMap<i64, Removed>,
    pub(super) wordings: Vec<Wording>,
    /// First casts by hour, tier and slot.
    pub(super) hours: BTreeMap<(i64, i64, i64), i64>,
    /// Ballots from mails, by issue and slot.
    pub(super) mails: BTreeMap<(i64, i64), i64>,
    /// What readers see of words, by option and key, and since when; `None`: nothing.
    pub(super) ruled: BTreeMap<(i64, [u8; 16]), (UnixMillis, Option<Hash>)>,
    /// Chains that tell of mails and words from their first page on, and those that do not.
    pub(super) whole: BTreeMap<i64, bool>,
    pub(super) entries: i64,
    /// Entries that come before the one they follow: it stands on another node's page.
    early: HashMap<VoterKey, BTreeMap<i64, Step>>,
    /// What makes no sense.
    pub(super) odd: Vec<String>,
}

/// An entry about one ballot.
#[derive(Debug)]
struct Step {
    slot: i64,
    at: UnixMillis,
    what: What,
}

#[derive(Debug)]
enum What {
    New(Held),
    Says(Held),
    SetAside(i64),
    GivenBack(i64),
    HandedOver,
}

impl<'a> Replay<'a> {
    pub(super) fn of(poll: &'a Poll) -> Self {
        Self {
            poll,
            ballots: HashMap::new(),
            tally: BTreeMap::new(),
            details: BTreeMap::new(),
            places: BTreeMap::new(),
            removals: BTreeMap::new(),
            wordings: Vec::new(),
            hours: BTreeMap::new(),
            mails: BTreeMap::new(),
            ruled: BTreeMap::new(),
            whole: BTreeMap::new(),
            entries: 0,
            early: HashMap::new(),
            odd: Vec::new(),
        }
    }

    /// Takes up the next page of a slot.
    ///
    /// # Errors
    /// Bytes that are no entries.
    pub(super) fn page(
        &mut self,
        slot: i64,
        at: UnixMillis,
        entries: &[u8],
    ) -> Result<(), Malformed> {
        for entry in read(entries)? {
            self.entries += 1;
            let whole = self.whole.entry(slot).or_insert(entry == Entry::Whole);
            // Of ballots from before the log nobody knows how they came.
            *whole &= !matches!(entry, Entry::Found { .. });
            match entry {
                Entry::Whole => {}
                Entry::Mailed { issue, ballots } => {
                    *self.mails.entry((issue, slot)).or_default() += ballots;
                }
                Entry::Ruled {
                    option,
                    words,
                    shown,
                } => {
                    let known = self.ruled.entry((option, words)).or_insert((at, shown));
                    if known.0 <= at {
                        *known = (at, shown);
                    }
                }
                Entry::Cast(ballot) => {
                    let hour = (at.hour().0, ballot.tier.into(), slot);
                    *self.hours.entry(hour).or_default() += 1;
                    let new = What::New(held(&ballot, at, at));
                    self.take(
                        ballot.voter,
                        0,
                        Step {
                            slot,
                            at,
                            what: new,
                        },
                    );
                }
                Entry::Found {
                    ballot,
                    cast,
                    changed,
                } => {
                    let new = What::New(held(&ballot, cast, changed));
                    self.take(
                        ballot.voter,
                        0,
                        Step {
                            slot,
                            at,
                            what: new,
                        },
                    );
                }
                // Cast when the browser cast it.
                Entry::Received { ballot, cast } => {
                    let what = What::New(held(&ballot, cast, at));
                    self.take(ballot.voter, 0, Step { slot, at, what });
                }
                Entry::HandedOver { voter, revision } => {
                    let what = What::HandedOver;
                    self.take(voter, revision, Step { slot, at, what });
                }
                Entry::Changed(ballot) => {
                    let what = What::Says(held(&ballot, at, at));
                    self.take(ballot.voter, ballot.revision, Step { slot, at, what });
                }
                Entry::SetAside {
                    voter,
                    revision,
                    removal,
                } => {
                    let what = What::SetAside(removal);
                    self.take(voter, revision, Step { slot, at, what });
                }
                Entry::GivenBack {
                    voter,
                    revision,
                    removal,
                } => {
                    let what = What::GivenBack(removal);
                    self.take(voter, revision, Step { slot, at, what });
                }
                Entry::Removal {
                    number,
                    reason,
                    ballots,
                } => {
                    let removed = Removed {
                        reason,
                        at,
                        ballots,
                        undone: self.removals.get(&number).and_then(|known| known.undone),
                    };
                    self.removals.insert(number, removed);
                }
                // Another node may have undone it, on a page that is read before the removal's own.
                Entry::Undone { number, .. } => {
                    let known = self.removals.entry(number).or_insert(Removed {
                        reason: Hash::default(),
                        at,
                        ballots: 0,
                        undone: None,
                    });
                    known.undone = Some(at);
                }
                Entry::Wording(wording) => self.wordings.push(wording),
            }
        }
        Ok(())
    }

    /// Whether every chain tells of mails and words, and of the hour of every ballot.
    pub(super) fn is_whole(&self) -> bool {
        self.whole.values().all(|whole| *whole)
    }

    /// How many entries never found the one they follow.
    pub(super) fn orphans(&self) -> usize {
        self.early.values().map(BTreeMap::len).sum()
    }

    /// Ballots that an editor set aside.
    pub(super) fn set_aside(&self) -> i64 {
        let aside = self
            .ballots
            .values()
            .filter(|ballot| ballot.removed.is_some_and(|removal| removal != HANDED_OVER));
        i64::try_from(aside.count()).unwrap_or(i64::MAX)
    }

    fn take(&mut self, voter: VoterKey, revision: i64, step: Step) {
        let before = self.ballots.get(&voter).map(|ballot| ballot.revision);
        let follows = match (before, &step.what) {
            (None, What::New(_)) => true,
            (Some(_), What::New(_)) => {
                self.odd.push("a ballot was cast twice".to_owned());
                return;
            }
            (None, _) => false,
            (Some(before), _) if revision <= before => {
                self.odd
                    .push("an entry about a ballot comes twice".to_owned());
                return;
            }
            (Some(before), _) => revision == before + 1,
        };
        if !follows {
            let known = self.early.entry(voter).or_default().insert(revision, step);
            if known.is_some() {
                self.odd
                    .push("an entry about a ballot comes twice".to_owned());
            }
            return;
        }
        self.apply(voter, revision, step);
        while let Some(after) = self.ballots.get(&voter).map(|ballot| ballot.revision + 1) {
            let Some(step) = self.early.get_mut(&voter).and_then(|e| e.remove(&after)) else {
                break;
            };
            self.apply(voter, after, step);
        }
    }

    /// Does what the ballot box did.
    fn apply(&mut self, voter: VoterKey, revision: i64, step: Step) {
        let Step { slot, at, what } = step;
        let before = self.ballots.get(&voter).cloned();
        let mut after = match (&before, what) {
            (None, What::New(held)) => {
                self.count(&held, slot, 1);
                self.see(&held, slot, 1, held.cast);
                self.see(&held, slot, 0, held.changed);
                self.ballots.insert(voter, held);
                return;
            }
            (Some(before), What::Says(held)) => {
                if before.removed.is_none() {
                    self.count(before, slot, -1);
                    self.count(&held, slot, 1);
                    self.see(before, slot, 0, at);
                }
                Held {
                    cast: before.cast,
                    removed: before.removed,
                    ..held
                }
            }
            (Some(before), What::SetAside(removal)) if before.removed.is_none() => {
                self.count(before, slot, -1);
                self.see(before, slot, -1, before.cast);
                Held {
                    removed: Some(removal),
                    ..before.clone()
                }
            }
            (Some(before), What::GivenBack(removal)) if before.removed == Some(removal) => {
                self.count(before, slot, 1);
                self.see(before, slot, 1, before.cast);
                Held {
                    removed: None,
                    ..before.clone()
                }
            }
            (Some(before), What::HandedOver) if before.removed != Some(HANDED_OVER) => {
                if before.removed.is_none() {
                    self.count(before, slot, -1);
                    self.see(before, slot, -1, before.cast);
                }
                Held {
                    removed: Some(HANDED_OVER),
                    ..before.clone()
                }
            }
            _ => {
                self.odd
                    .push("a ballot was set aside or given back out of turn".to_owned());
                return;
            }
        };
        after.revision = revision;
        self.ballots.insert(voter, after);
    }

    fn count(&mut self, ballot: &Held, slot: i64, by: i64) {
        for option in counted(&ballot.choices) {
            *self.tally.entry((option, ballot.tier, slot)).or_default() += by;
        }
        if self.poll.has_details() {
            let tier = Tier::from_code(i16::try_from(ballot.tier).unwrap_or_default());
            let choice = Choice::from_stored(&ballot.choices);
            let details = self.details.entry(slot).or_default();
            details.add(self.poll, tier, &choice, by);
        }
    }

    fn see(&mut self, ballot: &Held, slot: i64, n: i64, at: UnixMillis) {
        let mut seen = self.places.get(&(ballot.place, slot)).copied();
        Seen::join(&mut seen, n, at);
        if let Some(seen) = seen {
            self.places.insert((ballot.place, slot), seen);
        }
    }
}

fn held(ballot: &Ballot<'_>, cast: UnixMillis, changed: UnixMillis) -> Held {
    Held {
        choices: ballot.choices.to_vec(),
        tier: ballot.tier.into(),
        place: ballot.place.into(),
        network: ballot.network.map(<[u8]>::to_vec),
        cast,
        changed,
        revision: ballot.revision,
        removed: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polls::ballots::log::write;
    use crate::polls::model::sample;
    use crate::polls::results::VOTERS;

    const VOTER: VoterKey = [7; 16];

    fn ballot(revision: i64, choices: &[u8]) -> Ballot<'_> {
        Ballot {
            voter: VOTER,
            revision,
            tier: 0,
            place: 1,
            network: None,
            choices,
        }
    }

    fn page(entries: &[Entry<'_>]) -> Vec<u8> {
        let mut out = Vec::new();
        for entry in entries {
            write(&mut out, entry);
        }
        out
    }

    /// A ballot that went through two nodes comes out the same in whatever order their pages are read.
    #[test]
    fn pages_of_two_nodes_fit_together_in_one_way() {
        let one = page(&[
            Entry::Cast(ballot(0, &[101])),
            Entry::Changed(ballot(2, &[103])),
        ]);
        let other = page(&[
            Entry::Changed(ballot(1, &[102])),
            Entry::SetAside {
                voter: VOTER,
                revision: 3,
                removal: 1,
            },
        ]);
        let poll = sample::single(&["a", "b", "c"]);
        let mut found = Vec::new();
        for order in [[(0, &one), (1, &other)], [(1, &other), (0, &one)]] {
            let mut replay = Replay::of(&poll);
            for (slot, entries) in order {
                replay
                    .page(slot, UnixMillis(slot), entries)
                    .expect("readable");
            }
            assert_eq!((replay.orphans(), replay.odd.len()), (0, 0));
            replay.tally.retain(|_, n| *n != 0);
            found.push((replay.ballots.clone(), replay.tally, replay.places));
        }
        assert_eq!(found[0], found[1]);
        let (ballots, tally, _) = &found[0];
        assert_eq!(
            (&ballots[&VOTER].choices[..], ballots[&VOTER].removed),
            (&[103][..], Some(1))
        );
        let voters: i64 = tally
            .iter()
            .filter(|((option, ..), _)| *option == VOTERS)
            .map(|(_, n)| n)
            .sum();
        assert_eq!(voters, 0, "what was set aside is not counted");
    }

    #[test]
    fn what_does_not_follow_is_said() {
        let poll = sample::single(&["a", "b"]);
        let mut replay = Replay::of(&poll);
        let pages = page(&[
            Entry::Cast(ballot(0, &[101])),
            Entry::Cast(ballot(0, &[102])),
            Entry::Changed(ballot(0, &[102])),
            Entry::Changed(ballot(9, &[102])),
            Entry::GivenBack {
                voter: VOTER,
                revision: 1,
                removal: 4,
            },
        ]);
        replay.page(0, UnixMillis(1), &pages).expect("readable");
        assert_eq!((replay.odd.len(), replay.orphans()), (3, 1));
        assert!(replay.page(0, UnixMillis(1), &[1, 2]).is_err());
    }
}
