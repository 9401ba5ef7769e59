//! The entries about one ballot, in the order of its revisions, and what each does to the ballot and the numbers.

use super::{Held, Replay};
use crate::polls::answer::Choice;
use crate::polls::ballots::counts::{Seen, counted};
use crate::polls::ballots::hand_over::HANDED_OVER;
use crate::polls::ballots::log::{Ballot, Entry};
use crate::polls::ballots::slip::VoterKey;
use crate::polls::model::Tier;
use crate::types::UnixMillis;

/// An entry about one ballot.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) slot: i64,
    pub(super) at: UnixMillis,
    pub(super) what: What,
}

/// What an entry says about a ballot.
#[derive(Debug)]
pub(super) enum What {
    /// It exists, with this content.
    New(Held),
    /// From now on it says this.
    Says(Held),
    /// This removal set it aside.
    SetAside(i64),
    GivenBack(i64),
    /// It now counts as its reader's.
    HandedOver,
}

impl Replay<'_> {
    /// Applies what an entry says about a ballot of the share.
    pub(super) fn follow(&mut self, slot: i64, at: UnixMillis, entry: &Entry<'_>) {
        let (voter, revision) = match entry {
            Entry::Cast(ballot) | Entry::Found { ballot, .. } | Entry::Received { ballot, .. } => {
                (ballot.voter, 0)
            }
            Entry::Changed(ballot) => (ballot.voter, ballot.revision),
            Entry::SetAside {
                voter, revision, ..
            }
            | Entry::GivenBack {
                voter, revision, ..
            }
            | Entry::HandedOver { voter, revision } => (*voter, *revision),
            _ => return,
        };
        if !self.share.has(&voter) {
            return;
        }
        let what = match entry {
            Entry::Cast(ballot) => What::New(held(ballot, at, at)),
            Entry::Found {
                ballot,
                cast,
                changed,
            } => What::New(held(ballot, *cast, *changed)),
            // It keeps the time at which the browser cast it.
            Entry::Received { ballot, cast } => What::New(held(ballot, *cast, at)),
            Entry::Changed(ballot) => What::Says(held(ballot, at, at)),
            Entry::SetAside { removal, .. } => What::SetAside(*removal),
            Entry::GivenBack { removal, .. } => What::GivenBack(*removal),
            _ => What::HandedOver,
        };
        self.take(voter, revision, Step { slot, at, what });
    }

    /// Applies an entry in the order of the ballot's revisions: an entry that is early waits.
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
                    .push("a change of a ballot is recorded twice".to_owned());
                return;
            }
            (Some(before), _) => revision == before + 1,
        };
        if !follows {
            let known = self.early.entry(voter).or_default().insert(revision, step);
            if known.is_some() {
                self.odd
                    .push("a change of a ballot is recorded twice".to_owned());
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

    /// Does the same as the ballot box did.
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
                match before.removed {
                    None => {
                        self.count(before, slot, -1);
                        self.see(before, slot, -1, before.cast);
                    }
                    Some(removal) => *self.gone.entry(removal).or_default() += 1,
                }
                Held {
                    removed: Some(HANDED_OVER),
                    ..before.clone()
                }
            }
            _ => {
                self.odd
                    .push("a ballot was set aside or restored out of order".to_owned());
                return;
            }
        };
        after.revision = revision;
        self.ballots.insert(voter, after);
    }

    fn count(&mut self, ballot: &Held, slot: i64, by: i64) {
        for option in counted(&ballot.choices) {
            let key = (option, ballot.tier.into(), slot);
            *self.tally.entry(key).or_default() += by;
        }
        if self.poll.has_details() {
            let tier = Tier::from_code(ballot.tier);
            let choice = Choice::from_stored(&ballot.choices);
            let details = self.details.entry(slot).or_default();
            details.add(self.poll, tier, &choice, by);
        }
    }

    fn see(&mut self, ballot: &Held, slot: i64, n: i64, at: UnixMillis) {
        let key = (ballot.place.into(), slot);
        let mut seen = self.places.get(&key).copied();
        Seen::join(&mut seen, n, at);
        if let Some(seen) = seen {
            self.places.insert(key, seen);
        }
    }
}

/// The ballot of an entry, as its row should be.
fn held(ballot: &Ballot<'_>, cast: UnixMillis, changed: UnixMillis) -> Held {
    Held {
        choices: ballot.choices.to_vec(),
        tier: ballot.tier,
        place: ballot.place,
        network: ballot.network.map(<[u8]>::to_vec),
        cast,
        changed,
        revision: ballot.revision,
        removed: None,
    }
}
