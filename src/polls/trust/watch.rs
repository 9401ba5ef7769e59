//! The watch over new ballots: minutes of traces in memory, groups that are looked at every few seconds, bursts that are open.
//!
//! Nothing of it is at rest: networks and browsers are hashes under a secret of the day, and all is forgotten ten minutes later or
//! with the process. Bounded: at most [`MOST_TRACES`] traces a poll; what came earlier then has been looked at. The lock is held for
//! moments only, since each answer takes it: what takes long is judged on a copy ([`Glance`]).

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::glance::{Found, Glance};
use super::signs::{Sign, Trace, usual};
use crate::polls::ballots::VoterKey;
use crate::types::{BurstId, PollId, UnixMillis};

/// How far back groups reach; a burst that was silent for so long is over.
const WINDOW: Duration = Duration::from_secs(600);
const MOST_TRACES: usize = 20_000;
/// Networks whose looks are remembered for a poll. Beyond it nobody is blamed for not having looked. And so many are known of a burst.
const MOST_NETWORKS: usize = 20_000;
/// Different ballots whose numbers are remembered for a poll.
const MOST_SAID: usize = 5_000;
/// Ballots of an open burst are set aside together, so that the public log has few entries.
const TOGETHER: Duration = Duration::from_secs(15);
/// Ballots of a burst that are kept in mind until there is something to compare them with.
const MOST_HELD: usize = 100_000;
/// And for how long after the last of them.
const HELD: Duration = Duration::from_secs(60 * 60);
/// An editor's word that a burst is a crowd holds for so long.
const EXCUSED: Duration = Duration::from_secs(24 * 60 * 60);

/// What the ballots of a burst have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// A network and a browser's description.
    Browser([u8; 8], [u8; 8]),
    Network([u8; 8]),
    /// A description, from many networks, sent as programs send.
    Fleet([u8; 8]),
    /// From many networks, sent as programs send.
    Machines,
}

/// Ballots to set aside: of a new burst, or more of an open one. None yet of one that is only told of.
#[derive(Debug, Clone)]
pub struct Due {
    pub poll: PollId,
    pub key: Key,
    /// `None`: the burst is new.
    pub burst: Option<BurstId>,
    pub signs: Vec<Sign>,
    /// What most of them say: a choice as it is stored.
    pub choices: Vec<u8>,
    pub voters: Vec<VoterKey>,
    /// Ballots of the burst so far that are not set aside: there are too few others to compare them with.
    pub held: usize,
    /// Of all of the burst so far, as far as they are remembered.
    pub networks: usize,
    pub first: UnixMillis,
    pub last: UnixMillis,
}

#[derive(Debug, Default)]
struct Seen {
    traces: VecDeque<Trace>,
    /// How many there were so far.
    came: u64,
    /// How often a network opened the poll and did not answer yet.
    opened: HashMap<[u8; 8], (u32, UnixMillis)>,
    /// New ballots, by what they say, as long as the poll is not forgotten here: it is when nobody opened it for two hours. And the words of
    /// each number.
    said: HashMap<u64, u64>,
    words: HashMap<u64, Vec<u8>>,
    bursts: BTreeMap<Key, Burst>,
    /// Something came since the last look.
    fresh: bool,
}

#[derive(Debug)]
struct Burst {
    id: Option<BurstId>,
    signs: Vec<Sign>,
    pushed: u64,
    /// Nobody can say yet that the others say otherwise: its ballots count.
    held: bool,
    waiting: Vec<VoterKey>,
    networks: HashSet<[u8; 8]>,
    first: UnixMillis,
    last: UnixMillis,
    /// When ballots were last taken away to be set aside.
    taken: Option<UnixMillis>,
    excused: Option<UnixMillis>,
}

/// The watch of one process.
#[derive(Debug, Default)]
pub struct Watch {
    polls: Mutex<HashMap<PollId, Seen>>,
    /// Whose turn it is to look: two looks at once would find the same.
    turn: Mutex<()>,
}

impl Watch {
    fn lock(&self) -> MutexGuard<'_, HashMap<PollId, Seen>> {
        self.polls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody of this network opened the poll.
    pub fn opened(&self, poll: PollId, network: [u8; 8], now: UnixMillis) {
        let mut polls = self.lock();
        let seen = polls.entry(poll).or_default();
        if seen.opened.len() < MOST_NETWORKS || seen.opened.contains_key(&network) {
            let looks = seen.opened.entry(network).or_insert((0, now));
            *looks = (looks.0.saturating_add(1), now);
        }
    }

    /// A new ballot is in the box. `trace.taken` is filled in here, and `trace.opened` unless it is given; `choices`: its choice as it is
    /// stored.
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

    /// Whether answers of this network are being set aside: its browsers get harder puzzles.
    pub fn is_suspect(&self, poll: PollId, network: [u8; 8]) -> bool {
        let polls = self.lock();
        polls.get(&poll).is_some_and(|seen| {
            seen.bursts
                .values()
                .any(|burst| burst.excused.is_none() && burst.networks.contains(&network))
        })
    }

    /// Looks for new bursts, which may take some tens of milliseconds, and gives out what is to be set aside now. What could not be is put
    /// back by [`put_back`](Self::put_back).
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

    /// The number under which a burst is stored.
    pub fn stored(&self, poll: PollId, key: Key, id: BurstId) {
        self.with(poll, key, |burst| burst.id = Some(id));
    }

    /// Ballots that could not be set aside now: the next look tries again.
    pub fn put_back(&self, due: Due) {
        self.with(due.poll, due.key, |burst| {
            burst.waiting.extend(due.voters);
            burst.taken = None;
        });
    }

    /// An editor said that this burst is a crowd: what is like it counts from now on.
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

/// Takes a ballot into the narrowest burst that is open for it, unless an editor said that this one is a crowd.
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

/// The bursts that a ballot may belong to, the narrowest first.
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
    /// Uses up one look of this network. While too many networks look to remember them all, everybody has looked.
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
        // A page may lie open for long before it is answered.
        self.opened
            .retain(|_, (_, at)| now.since(*at) < 12 * WINDOW);
        self.bursts.retain(|_, burst| match burst.excused {
            Some(at) => now.since(at) < EXCUSED,
            None if burst.held => now.since(burst.last) < HELD,
            None => !(burst.waiting.is_empty() && old(burst.last)),
        });
    }

    /// A copy of what is to be judged. Bursts that were held are let go where others disagree by now.
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

    /// Opens the bursts that were found, and takes in what is like them and came since.
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

    /// A ballot of a burst is none of the others.
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
            // One that is held is told of, once.
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
