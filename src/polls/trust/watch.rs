//! The watch over new ballots: traces of the last minutes in memory, groups examined every few
//! seconds, and open bursts.
//!
//! Nothing is stored: networks and browsers are hashes under a secret of the day, and everything is forgotten after ten
//! minutes or with the process. It is bounded to [`MOST_TRACES`] traces for each poll; older ones have been examined by
//! then. The lock is held only briefly, since each answer takes it; slow work is done on a copy ([`Glance`]).

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher as _, Hash as _, Hasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::glance::{Found, Glance};
use super::signs::{Sign, Trace, usual};
use crate::polls::ballots::VoterKey;
use crate::types::{BurstId, PollId, UnixMillis};

/// How far back groups reach. A burst without new ballots for this long is over.
const WINDOW: Duration = Duration::from_secs(600);
const MOST_TRACES: usize = 20_000;
/// The most networks whose views are remembered for a poll; beyond that, a missing view is not held against anybody.
/// Also the most networks remembered for a burst.
const MOST_NETWORKS: usize = 20_000;
/// The most different ballots whose numbers are remembered for a poll.
const MOST_SAID: usize = 5_000;
/// Ballots of an open burst are set aside in batches at this interval, so that the public log has few entries.
const TOGETHER: Duration = Duration::from_secs(15);
/// The most ballots of a held burst that are remembered until there is something to compare them with.
const MOST_HELD: usize = 100_000;
/// How long they are remembered after the last of them.
const HELD: Duration = Duration::from_secs(60 * 60);
/// How long an editor's decision that a burst is a crowd also applies to similar ballots.
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

/// Ballots to set aside: of a new burst, or more of an open one. Empty for a burst that is only reported.
#[derive(Debug, Clone)]
pub struct Due {
    pub poll: PollId,
    pub key: Key,
    /// `None`: the burst is new.
    pub burst: Option<BurstId>,
    pub signs: Vec<Sign>,
    /// What most of them say, encoded as a ballot's choices.
    pub choices: Vec<u8>,
    pub voters: Vec<VoterKey>,
    /// The number of ballots of the burst so far that are not set aside, because there are too few
    /// others to compare them with.
    pub held: usize,
    /// The number of networks in the whole burst so far, as far as they are remembered.
    pub networks: usize,
    pub first: UnixMillis,
    pub last: UnixMillis,
}

#[derive(Debug, Default)]
struct Seen {
    traces: VecDeque<Trace>,
    /// The number of traces so far.
    came: u64,
    /// How often a network has opened the poll without answering yet.
    opened: HashMap<[u8; 8], (u32, UnixMillis)>,
    /// The numbers of new ballots, by a hash of what they say, until the poll is forgotten here, when nobody has opened
    /// it for two hours; and the choices for each hash.
    said: HashMap<u64, u64>,
    words: HashMap<u64, Vec<u8>>,
    bursts: BTreeMap<Key, Burst>,
    /// Whether anything has come since the last look.
    fresh: bool,
}

#[derive(Debug)]
struct Burst {
    id: Option<BurstId>,
    signs: Vec<Sign>,
    pushed: u64,
    /// Whether too few others have answered to know if they say something else: then its ballots count.
    held: bool,
    waiting: Vec<VoterKey>,
    networks: HashSet<[u8; 8]>,
    first: UnixMillis,
    last: UnixMillis,
    /// When ballots were last handed out to be set aside.
    taken: Option<UnixMillis>,
    excused: Option<UnixMillis>,
}

/// The watch of one process.
#[derive(Debug, Default)]
pub struct Watch {
    polls: Mutex<HashMap<PollId, Seen>>,
    /// Held during a look: two looks at once would find the same.
    turn: Mutex<()>,
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
        let mut polls = self.lock();
        let seen = polls.entry(poll).or_default();
        if seen.opened.len() < MOST_NETWORKS || seen.opened.contains_key(&network) {
            let looks = seen.opened.entry(network).or_insert((0, now));
            *looks = (looks.0.saturating_add(1), now);
        }
    }

    /// Records that a new ballot is in the box. `trace.taken` is filled in here, and `trace.opened` unless it is
    /// already set; `choices` is its choice as stored.
    pub fn cast(&self, poll: PollId, mut trace: Trace, choices: &[u8]) {
        let mut polls = self.lock();
        let seen = polls.entry(poll).or_default();
        trace.opened |= seen.looked(trace.network);
        join(&mut seen.bursts, &mut trace);
        if !trace.taken && (seen.said.len() < MOST_SAID || seen.said.contains_key(&trace.said)) {
            *seen.said.entry(trace.said).or_default() += 1;
            seen.words
                .entry(trace.said)
                .or_insert_with(|| choices.to_vec());
        }
        if seen.traces.len() == MOST_TRACES {
            seen.traces.pop_front();
        }
        seen.traces.push_back(trace);
        seen.came += 1;
        seen.fresh = true;
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

    /// Looks for new bursts, which may take some tens of milliseconds, and hands out what is to be set aside now. What
    /// could not be set aside must be returned by [`put_back`](Self::put_back).
    pub fn due(&self, now: UnixMillis) -> Vec<Due> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let polls: Vec<PollId> = self.lock().keys().copied().collect();
        let mut due = Vec::new();
        for poll in polls {
            let glance = self.lock().get_mut(&poll).and_then(|seen| {
                seen.forget(now);
                std::mem::take(&mut seen.fresh).then(|| seen.glance())
            });
            let found = glance.map(Glance::judged).unwrap_or_default();
            if let Some(seen) = self.lock().get_mut(&poll) {
                seen.open(found);
                due.extend(seen.take(poll, now));
            }
        }
        self.lock().retain(|_, seen| {
            !(seen.traces.is_empty() && seen.opened.is_empty() && seen.bursts.is_empty())
        });
        due
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

    /// Records an editor's decision that this burst is a crowd: similar ballots count from now on.
    pub fn excuse(&self, poll: PollId, id: BurstId, now: UnixMillis) {
        let mut polls = self.lock();
        let bursts = polls.get_mut(&poll).map(|seen| &mut seen.bursts);
        for burst in bursts.into_iter().flat_map(BTreeMap::values_mut) {
            if burst.id == Some(id) {
                burst.excused = Some(now);
                burst.waiting.clear();
            }
        }
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

/// Adds a ballot to the narrowest open burst that matches, unless an editor decided that this one is a crowd.
fn join(bursts: &mut BTreeMap<Key, Burst>, trace: &mut Trace) {
    for key in keys(*trace) {
        let Some(burst) = bursts.get_mut(&key) else {
            continue;
        };
        if burst.excused.is_some() {
            return;
        }
        trace.taken = true;
        if !burst.held || burst.waiting.len() < MOST_HELD {
            burst.waiting.push(trace.voter);
        }
        if burst.networks.len() < MOST_NETWORKS {
            burst.networks.insert(trace.network);
        }
        burst.last = trace.at;
        return;
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

impl Seen {
    /// Uses up one view by this network. If there are too many networks to remember them all, everybody counts
    /// as having viewed the poll.
    fn looked(&mut self, network: [u8; 8]) -> bool {
        match self.opened.get_mut(&network) {
            Some((0, _)) => false,
            Some((looks, _)) => {
                *looks -= 1;
                true
            }
            None => self.opened.len() >= MOST_NETWORKS,
        }
    }

    fn forget(&mut self, now: UnixMillis) {
        let old = |at: UnixMillis| now.since(at) > WINDOW;
        while self.traces.front().is_some_and(|trace| old(trace.at)) {
            self.traces.pop_front();
        }
        // A page may stay open for long before it is answered.
        self.opened
            .retain(|_, (_, at)| now.since(*at) < 12 * WINDOW);
        self.bursts.retain(|_, burst| match burst.excused {
            Some(at) => now.since(at) < EXCUSED,
            None if burst.held => now.since(burst.last) < HELD,
            None => !(burst.waiting.is_empty() && old(burst.last)),
        });
    }

    /// Copies what is to be examined. Held bursts are released if other ballots disagree by now.
    fn glance(&mut self) -> Glance {
        for burst in self.bursts.values_mut().filter(|burst| burst.held) {
            if usual(burst.pushed, &self.said).is_some_and(|usual| usual < 0.65) {
                burst.held = false;
                burst.taken = None;
            }
        }
        let excused = |burst: &Burst| burst.excused.is_some();
        Glance {
            traces: self.traces.iter().copied().collect(),
            came: self.came,
            said: self.said.clone(),
            bursts: self.bursts.iter().map(|(k, b)| (*k, excused(b))).collect(),
        }
    }

    /// Opens the bursts that were found, and adds similar ballots that have come since the copy was made.
    fn open(&mut self, found: Found) {
        if found.groups.is_empty() {
            return;
        }
        let mut members = HashSet::new();
        for group in found.groups {
            for trace in &group.traces {
                self.says_no_more(trace.said);
                members.insert(trace.voter);
            }
            let (Some(first), Some(last)) = (group.traces.first(), group.traces.last()) else {
                continue;
            };
            let burst = Burst {
                id: None,
                signs: group.signs,
                pushed: group.pushed,
                held: group.held,
                waiting: group.traces.iter().map(|trace| trace.voter).collect(),
                networks: group.traces.iter().map(|trace| trace.network).collect(),
                first: first.at,
                last: last.at,
                taken: None,
                excused: None,
            };
            self.bursts.insert(group.key, burst);
        }
        let later = usize::try_from(self.came - found.came).unwrap_or(usize::MAX);
        let later = self.traces.len().saturating_sub(later);
        let mut joined = Vec::new();
        for (at, trace) in self.traces.iter_mut().enumerate() {
            if trace.taken {
                continue;
            }
            if members.contains(&trace.voter) {
                trace.taken = true;
            } else if at >= later {
                join(&mut self.bursts, trace);
                joined.extend(trace.taken.then_some(trace.said));
            }
        }
        for said in joined {
            self.says_no_more(said);
        }
    }

    /// Removes a ballot of a burst from the numbers of the other ballots.
    fn says_no_more(&mut self, said: u64) {
        if let Some(n) = self.said.get_mut(&said) {
            *n = n.saturating_sub(1);
        }
    }

    fn take(&mut self, poll: PollId, now: UnixMillis) -> Vec<Due> {
        let words = &self.words;
        self.bursts
            .iter_mut()
            .filter(|(_, burst)| burst.excused.is_none() && !burst.waiting.is_empty())
            // A held burst is reported once.
            .filter(|(_, burst)| !burst.held || burst.id.is_none())
            .filter(|(_, burst)| burst.taken.is_none_or(|at| now.since(at) >= TOGETHER))
            .map(|(key, burst)| {
                burst.taken = Some(now);
                Due {
                    poll,
                    key: *key,
                    burst: burst.id,
                    signs: burst.signs.clone(),
                    choices: words.get(&burst.pushed).cloned().unwrap_or_default(),
                    held: if burst.held { burst.waiting.len() } else { 0 },
                    voters: if burst.held {
                        Vec::new()
                    } else {
                        std::mem::take(&mut burst.waiting)
                    },
                    networks: burst.networks.len(),
                    first: burst.first,
                    last: burst.last,
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
