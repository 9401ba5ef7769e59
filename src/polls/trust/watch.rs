//! The watch over new ballots: minutes of traces in memory, groups that are looked at every few seconds, bursts that are open.
//!
//! Nothing of it is at rest: networks and browsers are hashes under a secret of the day, and all is forgotten ten minutes later or
//! with the process. Bounded: at most [`MOST_TRACES`] traces a poll; what came earlier then has been looked at.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::signs::{Push, SMALLEST_FLEET, SMALLEST_GROUP, Sign, Trace, push, signs, usual};
use crate::polls::ballots::VoterKey;
use crate::types::{BurstId, PollId, UnixMillis};

/// How far back groups reach; a burst that was silent for so long is over.
const WINDOW: Duration = Duration::from_secs(600);
const MOST_TRACES: usize = 20_000;
/// Networks whose looks are remembered for a poll. Beyond it nobody is blamed for not having looked.
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
    /// Of all of the burst so far.
    pub networks: usize,
    pub first: UnixMillis,
    pub last: UnixMillis,
}

#[derive(Debug, Default)]
struct Seen {
    traces: VecDeque<Trace>,
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
}

impl Watch {
    /// Somebody of this network opened the poll.
    pub fn opened(&self, poll: PollId, network: [u8; 8], now: UnixMillis) {
        let mut polls = self.polls.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = polls.entry(poll).or_default();
        if seen.opened.len() < MOST_NETWORKS || seen.opened.contains_key(&network) {
            let looks = seen.opened.entry(network).or_insert((0, now));
            *looks = (looks.0.saturating_add(1), now);
        }
    }

    /// A new ballot is in the box. `trace.taken` is filled in here, and `trace.opened` unless it is given; `choices`: its choice as it is
    /// stored.
    pub fn cast(&self, poll: PollId, mut trace: Trace, choices: &[u8]) {
        let mut polls = self.polls.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = polls.entry(poll).or_default();
        trace.opened |= seen.looked(trace.network);
        for key in keys(trace) {
            let Some(burst) = seen.bursts.get_mut(&key) else {
                continue;
            };
            if burst.excused.is_some() {
                break;
            }
            trace.taken = true;
            if !burst.held || burst.waiting.len() < MOST_HELD {
                burst.waiting.push(trace.voter);
            }
            burst.networks.insert(trace.network);
            burst.last = trace.at;
            break;
        }
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
        seen.fresh = true;
    }

    /// Whether answers of this network are being set aside: its browsers get harder puzzles.
    pub fn is_suspect(&self, poll: PollId, network: [u8; 8]) -> bool {
        let polls = self.polls.lock().unwrap_or_else(PoisonError::into_inner);
        polls.get(&poll).is_some_and(|seen| {
            seen.bursts
                .values()
                .any(|burst| burst.excused.is_none() && burst.networks.contains(&network))
        })
    }

    /// Looks for new bursts, and gives out what is to be set aside now. What could not be is put back by [`put_back`](Self::put_back).
    pub fn due(&self, now: UnixMillis) -> Vec<Due> {
        let mut polls = self.polls.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        for (&poll, seen) in polls.iter_mut() {
            seen.forget(now);
            if std::mem::take(&mut seen.fresh) {
                seen.look();
            }
            due.extend(seen.take(poll, now));
        }
        polls.retain(|_, seen| {
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
        let mut polls = self.polls.lock().unwrap_or_else(PoisonError::into_inner);
        let bursts = polls.get_mut(&poll).map(|seen| &mut seen.bursts);
        for burst in bursts.into_iter().flat_map(BTreeMap::values_mut) {
            if burst.id == Some(id) {
                burst.excused = Some(now);
                burst.waiting.clear();
            }
        }
    }

    fn with(&self, poll: PollId, key: Key, change: impl FnOnce(&mut Burst)) {
        let mut polls = self.polls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(burst) = polls
            .get_mut(&poll)
            .and_then(|seen| seen.bursts.get_mut(&key))
        {
            change(burst);
        }
    }
}

/// The bursts that a ballot may belong to, the narrowest first.
fn keys(trace: Trace) -> impl Iterator<Item = Key> {
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

    /// Forms groups of what is in no burst yet, and opens bursts for those that are none of people.
    fn look(&mut self) {
        for burst in self.bursts.values_mut().filter(|burst| burst.held) {
            if usual(burst.pushed, &self.said).is_some_and(|usual| usual < 0.65) {
                burst.held = false;
                burst.taken = None;
            }
        }
        let mut groups: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
        let mut of_network: HashMap<[u8; 8], usize> = HashMap::new();
        for trace in self.traces.iter().filter(|trace| !trace.taken) {
            *of_network.entry(trace.network).or_default() += 1;
        }
        let excused = |key: &Key| self.bursts.get(key).is_some_and(|b| b.excused.is_some());
        for (at, trace) in self.traces.iter().enumerate() {
            if trace.taken || keys(*trace).any(|key| excused(&key)) {
                continue;
            }
            let alone = of_network
                .get(&trace.network)
                .is_none_or(|n| *n < SMALLEST_GROUP);
            for key in keys(*trace) {
                if alone == matches!(key, Key::Fleet(_) | Key::Machines) {
                    groups.entry(key).or_default().push(at);
                }
            }
        }
        for (key, members) in groups {
            let fleet = matches!(key, Key::Fleet(_) | Key::Machines);
            let smallest = if fleet {
                SMALLEST_FLEET
            } else {
                SMALLEST_GROUP
            };
            if members.len() >= smallest && !self.bursts.contains_key(&key) {
                self.judge(key, &members);
            }
        }
    }

    fn judge(&mut self, key: Key, members: &[usize]) {
        let group: Vec<Trace> = members
            .iter()
            .filter_map(|at| self.traces.get(*at))
            .filter(|trace| !trace.taken)
            .copied()
            .collect();
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            return;
        };
        let one_browser = matches!(key, Key::Browser(..) | Key::Fleet(_));
        let Some(signs) = signs(&group, one_browser) else {
            return;
        };
        let mut rest = self.said.clone();
        for trace in &group {
            if let Some(n) = rest.get_mut(&trace.said) {
                *n = n.saturating_sub(1);
            }
        }
        let (pushed, held) = match push(&group, &rest) {
            Some(Push::Yes(said)) => (said, false),
            // Machines of all kinds have only that in common: they are judged by how they differ from the others.
            Some(Push::Perhaps(said)) if key != Key::Machines => (said, true),
            _ => return,
        };
        self.bursts.insert(
            key,
            Burst {
                id: None,
                signs,
                pushed,
                held,
                waiting: group.iter().map(|trace| trace.voter).collect(),
                networks: group.iter().map(|trace| trace.network).collect(),
                first: first.at,
                last: last.at,
                taken: None,
                excused: None,
            },
        );
        for at in members {
            if let Some(trace) = self.traces.get_mut(*at) {
                if !trace.taken
                    && let Some(n) = self.said.get_mut(&trace.said)
                {
                    *n = n.saturating_sub(1);
                }
                trace.taken = true;
            }
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
