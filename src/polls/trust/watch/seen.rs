//! What was seen of one poll, and the bursts in it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use super::{Due, EXCUSED, Key, MOST_NETWORKS, TOGETHER, WINDOW, keys};
use crate::polls::ballots::VoterKey;
use crate::polls::trust::glance::{Found, Glance};
use crate::polls::trust::signs::{Sign, Trace, usual};
use crate::types::{BurstId, PollId, UnixMillis};

/// The most ballots of a held burst that are remembered until there is something to compare them with.
const MOST_HELD: usize = 100_000;
/// How long they are remembered after the last of them.
const HELD: Duration = Duration::from_secs(24 * 60 * 60);
/// How long what the database said of ballots that this process did not see is good enough while there are too few
/// others: counting them reads every ballot of the poll.
const ASKED: Duration = Duration::from_secs(5 * 60);

#[derive(Debug, Default)]
pub(super) struct Seen {
    /// When this process began to watch the poll: only the database has earlier ballots.
    pub(super) since: UnixMillis,
    pub(super) traces: VecDeque<Trace>,
    /// The number of traces so far.
    pub(super) came: u64,
    /// How often a network has opened the poll without answering yet.
    pub(super) opened: HashMap<[u8; 8], (u32, UnixMillis)>,
    /// The numbers of new ballots, by a hash of what they say, until the poll is forgotten here, when nobody has opened
    /// it for two hours; and the choices for each hash.
    pub(super) said: HashMap<u64, u64>,
    pub(super) words: HashMap<u64, Vec<u8>>,
    pub(super) bursts: BTreeMap<Key, Burst>,
    /// Whether anything has come since the last look.
    pub(super) fresh: bool,
    /// The numbers of the ballots that this process did not see, by what they say, and when the database was asked.
    pub(super) unseen: Option<(UnixMillis, HashMap<u64, u64>)>,
    /// Whether a group waits for the database to be asked.
    pub(super) short: bool,
}

#[derive(Debug)]
pub(super) struct Burst {
    pub(super) id: Option<BurstId>,
    pub(super) signs: Vec<Sign>,
    pub(super) pushed: u64,
    /// Whether too few others have answered to know if they say something else: then its ballots count.
    pub(super) held: bool,
    pub(super) waiting: Vec<VoterKey>,
    pub(super) networks: HashSet<[u8; 8]>,
    pub(super) first: UnixMillis,
    pub(super) last: UnixMillis,
    /// When ballots were last handed out to be set aside.
    pub(super) taken: Option<UnixMillis>,
    pub(super) excused: Option<UnixMillis>,
}

impl Burst {
    /// From now on its ballots are set aside.
    pub(super) fn release(&mut self) {
        self.held = false;
        self.taken = None;
    }
}

impl Seen {
    pub(super) fn new(since: UnixMillis) -> Self {
        Self {
            since,
            ..Self::default()
        }
    }

    /// Uses up one view by this network. If there are too many networks to remember them all, everybody counts
    /// as having viewed the poll.
    pub(super) fn looked(&mut self, network: [u8; 8]) -> bool {
        match self.opened.get_mut(&network) {
            Some((0, _)) => false,
            Some((looks, _)) => {
                *looks -= 1;
                true
            }
            None => self.opened.len() >= MOST_NETWORKS,
        }
    }

    pub(super) fn forget(&mut self, now: UnixMillis) {
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

    /// Whether what the database said is recent enough to take its word that there are too few others.
    fn asked(&self, now: UnixMillis) -> bool {
        let asked = self.unseen.as_ref().map(|(at, _)| *at);
        asked.is_some_and(|at| now.since(at) < ASKED)
    }

    /// Whether the database is to be asked now for ballots to compare with.
    pub(super) fn wants_others(&self, now: UnixMillis) -> bool {
        let held = |burst: &Burst| burst.held && burst.excused.is_none();
        (self.short || self.bursts.values().any(held)) && !self.asked(now)
    }

    /// The numbers of the ballots that are in no burst, in memory or only in the database, by what they say.
    fn others(&self) -> HashMap<u64, u64> {
        let mut others = self.said.clone();
        for (said, n) in self.unseen.iter().flat_map(|(_, unseen)| unseen) {
            *others.entry(*said).or_default() += n;
        }
        others
    }

    /// Copies what is to be examined. Held bursts are released if other ballots disagree by now.
    pub(super) fn glance(&mut self, now: UnixMillis) -> Glance {
        let others = self.others();
        for burst in self.bursts.values_mut().filter(|burst| burst.held) {
            if usual(burst.pushed, &others).is_some_and(|usual| usual < 0.65) {
                burst.release();
            }
        }
        let excused = |burst: &Burst| burst.excused.is_some();
        Glance {
            traces: self.traces.iter().copied().collect(),
            came: self.came,
            said: others,
            asked: self.asked(now),
            bursts: self.bursts.iter().map(|(k, b)| (*k, excused(b))).collect(),
        }
    }

    /// Opens the bursts that were found, and adds similar ballots that have come since the copy was made.
    pub(super) fn open(&mut self, found: Found) {
        self.short |= found.short;
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

    pub(super) fn take(&mut self, poll: PollId, now: UnixMillis) -> Vec<Due> {
        let words = &self.words;
        self.bursts
            .iter_mut()
            .filter(|(_, burst)| burst.excused.is_none() && !burst.waiting.is_empty())
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

/// Adds a ballot to the narrowest open burst that matches, unless an editor decided that this one is a crowd.
pub(super) fn join(bursts: &mut BTreeMap<Key, Burst>, trace: &mut Trace) {
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
