//! The watch over new and changed ballots: traces of the last minutes in memory, groups examined every few
//! seconds, and open bursts.
//!
//! Nothing is stored: networks are hashes under a secret of the day, descriptions of browsers under one of the process,
//! and everything is forgotten after ten minutes or with the process; which ballots belong to a burst that counts so
//! far, and what those of a burst had in common, after a day. It is bounded to [`MOST_TRACES`] traces for each poll; older
//! ones have been examined by then. If a group would have too few others to compare it with, the database is asked what
//! the ballots said that were cast before this process began. The lock is held only briefly, since each answer takes it;
//! slow work is done on a copy ([`Glance`]).

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use self::seen::{Burst, Seen};
use super::glance::Glance;
use super::push::{Numbers, Said};
use super::signs::{Sign, Trace};
use crate::polls::ballots::VoterKey;
use crate::types::{BurstId, PollId, UnixMillis};

mod seen;

/// How far back groups reach. A burst without new ballots for this long is over.
const WINDOW: Duration = Duration::from_secs(600);
const MOST_TRACES: usize = 20_000;
/// The most networks whose views are remembered for a poll; beyond that, a missing view is not held against anybody.
/// Also the most networks remembered for a burst.
const MOST_NETWORKS: usize = 20_000;
/// Ballots of an open burst are set aside in batches at this interval, so that the public log has few entries.
const TOGETHER: Duration = Duration::from_secs(15);
/// How long an editor's decision that a burst is a crowd also applies to similar ballots, and how long after its last
/// ballot it can be made for that.
const EXCUSED: Duration = Duration::from_secs(24 * 60 * 60);

/// What the ballots of a burst have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A network and a browser's description.
    Browser([u8; 8], [u8; 8]),
    Network([u8; 8]),
    /// A browser's description, from many networks, with ballots sent like a program's.
    Fleet([u8; 8]),
    /// Ballots sent like a program's, from many networks.
    Machines,
}

/// Ballots to set aside, of a new burst or more of an open one; or all those of a burst that counts so far.
#[derive(Debug, Clone)]
pub struct Due {
    pub poll: PollId,
    pub key: Key,
    /// `None`: the burst is new.
    pub burst: Option<BurstId>,
    pub signs: Vec<Sign>,
    /// What they push.
    pub pushed: Said,
    pub voters: Vec<VoterKey>,
    /// Whether the ballots are not set aside, because there are too few others to compare them with.
    pub held: bool,
    /// The number of networks in the whole burst so far, as far as they are remembered.
    pub networks: usize,
    pub first: UnixMillis,
    pub last: UnixMillis,
}

/// The watch of one process.
#[derive(Debug, Default)]
pub struct Watch {
    polls: Mutex<HashMap<PollId, Seen>>,
    /// See [`turn`](Self::turn).
    turn: tokio::sync::Mutex<()>,
    /// The key of [`Watch::shape`].
    shapes: RandomState,
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, HashMap<PollId, Seen>> {
        self.polls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A hash of how a browser describes itself, keyed by a secret of this process. It is compared with those of the
    /// last minutes and never stored, so a quick hash will do.
    pub fn shape<'a>(&self, described: impl Iterator<Item = Option<&'a [u8]>>) -> [u8; 8] {
        let mut hasher = self.shapes.build_hasher();
        described.for_each(|header| header.hash(&mut hasher));
        hasher.finish().to_be_bytes()
    }

    /// Records that somebody in this network opened the poll.
    pub fn opened(&self, poll: PollId, network: [u8; 8], now: UnixMillis) {
        self.seeing(poll, now, |seen| {
            if seen.opened.len() < MOST_NETWORKS || seen.opened.contains_key(&network) {
                let looks = seen.opened.entry(network).or_insert((0, now));
                *looks = (looks.0.saturating_add(1), now);
            }
        });
    }

    /// Records that a new ballot is in the box. `trace.taken` is filled in here, and `trace.opened` if somebody in that
    /// network had opened the poll.
    pub fn cast(&self, poll: PollId, trace: Trace) {
        self.seeing(poll, trace.at, |seen| seen.cast(trace));
    }

    /// Records that a ballot in the box was changed, as [`cast`](Self::cast) does with a new one.
    pub fn change(&self, poll: PollId, trace: Trace) {
        self.seeing(poll, trace.at, |seen| seen.change(trace));
    }

    /// Records that a ballot in the box was sent again and says the same. Of a program that sends all its answers again, to
    /// change what some of them say, these belong to the others.
    pub fn repeat(&self, poll: PollId, trace: Trace) {
        self.seeing(poll, trace.at, |seen| {
            // Otherwise its trace is as good as this one: a second press is no second answer.
            if !seen.remembers(&trace.voter) {
                seen.change(trace);
            }
        });
    }

    fn seeing(&self, poll: PollId, now: UnixMillis, see: impl FnOnce(&mut Seen)) {
        let mut polls = self.lock();
        see(polls.entry(poll).or_insert_with(|| Seen::new(now)));
    }

    /// Whether answers from this network are being set aside, so that its browsers get harder puzzles.
    pub fn is_suspect(&self, poll: PollId, network: [u8; 8]) -> bool {
        let polls = self.lock();
        polls.get(&poll).is_some_and(|seen| {
            seen.bursts
                .values()
                .any(|burst| burst.excused.is_none() && burst.networks.contains(&network))
        })
    }

    /// To be held from a look until what it found is stored: two at once would find, and record, the same.
    pub async fn turn(&self) -> impl Drop {
        self.turn.lock().await
    }

    /// Looks for new bursts, which may take some tens of milliseconds.
    pub fn look(&self, now: UnixMillis) {
        let polls: Vec<PollId> = self.lock().keys().copied().collect();
        for poll in polls {
            let glance = self.lock().get_mut(&poll).and_then(|seen| {
                seen.forget(now);
                std::mem::take(&mut seen.fresh).then(|| seen.glance(now))
            });
            let found = glance.map(Glance::judged).unwrap_or_default();
            if let Some(seen) = self.lock().get_mut(&poll) {
                seen.open(found);
            }
        }
        self.lock().retain(|_, seen| {
            let nothing = seen.traces.is_empty() && seen.opened.is_empty();
            !(nothing && seen.bursts.is_empty() && seen.over.is_empty())
        });
    }

    /// The polls in which too few other ballots are known to judge a group, and since when this process has watched
    /// them. What the database has is to be given to [`learn`](Self::learn) before the next look.
    pub fn short(&self, now: UnixMillis) -> Vec<(PollId, UnixMillis)> {
        let polls = self.lock();
        let short = polls.iter().filter(|(_, seen)| seen.wants_others(now));
        short.map(|(poll, seen)| (*poll, seen.since)).collect()
    }

    /// Takes note of the ballots that this process did not see.
    pub fn learn(&self, poll: PollId, unseen: Numbers, now: UnixMillis) {
        if let Some(seen) = self.lock().get_mut(&poll) {
            seen.unseen = Some((now, unseen));
            seen.short = false;
            seen.fresh = true;
        }
    }

    /// Hands out what is to be set aside now. What could not be set aside must be returned by
    /// [`put_back`](Self::put_back).
    pub fn due(&self, now: UnixMillis) -> Vec<Due> {
        let mut polls = self.lock();
        let due = polls
            .iter_mut()
            .flat_map(|(poll, seen)| seen.take(*poll, now));
        due.collect()
    }

    /// Sets the id under which a burst is stored.
    pub fn stored(&self, poll: PollId, key: Key, id: BurstId) {
        self.with(poll, key, |burst| burst.id = Some(id));
    }

    /// Returns ballots that could not be set aside now; the next look tries again.
    pub fn put_back(&self, due: Due) {
        self.with(due.poll, due.key, |burst| {
            burst.waiting.extend(due.voters);
            burst.taken = None;
        });
    }

    /// Records an editor's decision that this burst is a crowd: it and similar ballots count from now on, and are among
    /// the others that groups are compared with.
    pub fn excuse(&self, poll: PollId, id: BurstId, now: UnixMillis) {
        if let Some(seen) = self.lock().get_mut(&poll) {
            seen.excuse(id, now);
        }
    }

    /// Stops holding a burst back: an editor decided to leave it out, or another node set some of it aside. Returns
    /// false if this process does not know its ballots.
    pub fn release(&self, poll: PollId, id: BurstId) -> bool {
        let mut polls = self.lock();
        let bursts = polls.get_mut(&poll).map(|seen| &mut seen.bursts);
        let mut held = bursts.into_iter().flat_map(BTreeMap::values_mut);
        let burst = held.find(|burst| burst.id == Some(id) && burst.held);
        burst.map(Burst::release).is_some()
    }

    /// Whether this process knows the ballots of a burst that counts so far.
    pub fn holds(&self, poll: PollId, id: BurstId) -> bool {
        let polls = self.lock();
        polls.get(&poll).is_some_and(|seen| {
            let mut bursts = seen.bursts.values();
            bursts.any(|burst| burst.id == Some(id) && burst.held && burst.excused.is_none())
        })
    }

    fn with(&self, poll: PollId, key: Key, change: impl FnOnce(&mut Burst)) {
        let mut polls = self.lock();
        if let Some(burst) = polls
            .get_mut(&poll)
            .and_then(|seen| seen.bursts.get_mut(&key))
        {
            change(burst);
        }
    }
}

/// The bursts that a ballot may belong to, narrowest first.
pub(super) fn keys(trace: Trace) -> impl Iterator<Item = Key> {
    let machine = trace.is_machine_like();
    [
        Key::Browser(trace.network, trace.shape),
        Key::Network(trace.network),
    ]
    .into_iter()
    .chain(machine.then_some(Key::Fleet(trace.shape)))
    .chain(machine.then_some(Key::Machines))
}

#[cfg(test)]
mod tests;
