//! What was seen of one poll, and the bursts in it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use super::{Due, EXCUSED, Key, MOST_NETWORKS, MOST_TRACES, TOGETHER, WINDOW, keys};
use crate::polls::ballots::VoterKey;
use crate::polls::trust::glance::{Found, Glance};
use crate::polls::trust::push::{Numbers, Push, Said, push};
use crate::polls::trust::signs::{Sign, Trace};
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
    /// The number of traces that came before each voter's last one, if this is still remembered.
    pub(super) last: HashMap<VoterKey, u64>,
    /// How often a network has opened the poll without answering yet.
    pub(super) opened: HashMap<[u8; 8], (u32, UnixMillis)>,
    /// The numbers of the ballots that are in no burst, or in one that is a crowd, until the poll is forgotten here, when
    /// nobody has opened it for two hours and its last burst is a day old. What a ballot said before it was changed is
    /// taken off only while its trace is remembered.
    pub(super) said: Numbers,
    pub(super) bursts: BTreeMap<Key, Burst>,
    /// Bursts that are over, for an editor may still decide that one was a crowd.
    pub(super) over: BTreeMap<BurstId, (Key, Burst)>,
    /// Whether anything has come since the last look.
    pub(super) fresh: bool,
    /// The numbers of the ballots that this process did not see, and when the database was asked.
    pub(super) unseen: Option<(UnixMillis, Numbers)>,
    /// Whether a group waits for the database to be asked.
    pub(super) short: bool,
}

#[derive(Debug)]
pub(super) struct Burst {
    pub(super) id: Option<BurstId>,
    pub(super) signs: Vec<Sign>,
    pub(super) pushed: Said,
    /// Everything its ballots say.
    pub(super) says: Numbers,
    /// Whether too few others have answered to know if they say something else: then its ballots count.
    pub(super) held: bool,
    pub(super) waiting: HashSet<VoterKey>,
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

    /// Sees a new ballot.
    pub(super) fn cast(&mut self, mut trace: Trace) {
        if self.looked(trace.network) {
            trace.opened = Some(true);
        }
        self.remember(trace);
    }

    /// Sees a changed ballot. It is judged by how the change came, and no longer by how the ballot came before. A ballot of
    /// a burst stays in it.
    pub(super) fn change(&mut self, mut trace: Trace) {
        let before = self.last_of(&trace.voter).map(|last| {
            let before = *last;
            last.taken = true;
            if before.taken {
                last.said = trace.said;
            }
            before
        });
        match before {
            Some(before) if before.taken => {
                let key = keys(before).find(|key| self.bursts.contains_key(key));
                if let Some(key) = key
                    && let Some(burst) = self.bursts.get_mut(&key)
                {
                    burst.says.remove(before.said, 1);
                    burst.says.add(trace.said, 1);
                    if burst.excused.is_some() {
                        self.said.remove(before.said, 1);
                        self.said.add(trace.said, 1);
                    }
                }
                self.fresh = true;
                return;
            }
            Some(before) => self.said.remove(before.said, 1),
            None => {}
        }
        // A page of which we see nothing after the first answer may be answered again.
        if self.looked(trace.network) {
            trace.opened = Some(true);
        } else if trace.opened.is_some() {
            trace.opened = before.and_then(|before| before.opened);
        }
        self.remember(trace);
    }

    fn remember(&mut self, mut trace: Trace) {
        join(&mut self.bursts, &mut trace);
        if !trace.taken {
            self.said.add(trace.said, 1);
        }
        if self.traces.len() == MOST_TRACES {
            self.forget_first();
        }
        self.last.insert(trace.voter, self.came);
        self.traces.push_back(trace);
        self.came += 1;
        self.fresh = true;
    }

    /// The number of traces that came before the first one that is remembered.
    fn gone(&self) -> u64 {
        self.came - self.traces.len() as u64
    }

    /// Whether how this voter answered last is still remembered.
    pub(super) fn remembers(&self, voter: &VoterKey) -> bool {
        self.last.contains_key(voter)
    }

    fn last_of(&mut self, voter: &VoterKey) -> Option<&mut Trace> {
        let at = self.last.get(voter)?.checked_sub(self.gone())?;
        self.traces.get_mut(usize::try_from(at).ok()?)
    }

    fn forget_first(&mut self) {
        let first = self.gone();
        if let Some(trace) = self.traces.pop_front()
            && self.last.get(&trace.voter) == Some(&first)
        {
            self.last.remove(&trace.voter);
        }
    }

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

    pub(super) fn forget(&mut self, now: UnixMillis) {
        let old = |at: UnixMillis| now.since(at) > WINDOW;
        while self.traces.front().is_some_and(|trace| old(trace.at)) {
            self.forget_first();
        }
        // A page may stay open for long before it is answered.
        self.opened
            .retain(|_, (_, at)| now.since(*at) < 12 * WINDOW);
        let ended = self.bursts.extract_if(.., |_, burst| match burst.excused {
            Some(at) => now.since(at) >= EXCUSED,
            None if burst.held => now.since(burst.last) >= HELD,
            None => burst.waiting.is_empty() && old(burst.last),
        });
        for (key, mut burst) in ended {
            if let Some(id) = burst.id {
                burst.networks = HashSet::new();
                self.over.insert(id, (key, burst));
            }
        }
        self.over
            .retain(|_, (_, burst)| now.since(burst.last) < EXCUSED);
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

    /// The numbers of the ballots that are in no burst, in memory or only in the database.
    fn others(&self) -> Numbers {
        let said = self.said.clone();
        match &self.unseen {
            Some((_, unseen)) => said.with(unseen),
            None => said,
        }
    }

    /// Copies what is to be examined. Held bursts are released if other ballots disagree by now.
    pub(super) fn glance(&mut self, now: UnixMillis) -> Glance {
        let others = self.others();
        for burst in self.bursts.values_mut().filter(|burst| burst.held) {
            let crowd_like = burst.signs.iter().all(|sign| sign.a_crowd_may_have());
            if let Some(Push::Yes(_)) = push(&burst.says, &others, crowd_like) {
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
        let mut members = HashMap::new();
        for group in found.groups {
            for trace in &group.traces {
                // If it was changed since the copy was made, this was taken off then.
                if self
                    .last
                    .get(&trace.voter)
                    .is_none_or(|at| *at < found.came)
                {
                    self.said.remove(trace.said, 1);
                }
                members.insert(trace.voter, (group.key, trace.said));
            }
            let (Some(first), Some(last)) = (group.traces.first(), group.traces.last()) else {
                continue;
            };
            let burst = Burst {
                id: None,
                signs: group.signs,
                pushed: group.pushed,
                says: group.says,
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
        for (at, trace) in self.traces.iter_mut().enumerate() {
            if trace.taken {
                continue;
            }
            if let Some((key, before)) = members.get(&trace.voter) {
                trace.taken = true;
                if at >= later
                    && let Some(burst) = self.bursts.get_mut(key)
                {
                    burst.says.remove(*before, 1);
                    burst.says.add(trace.said, 1);
                }
            } else if at >= later {
                join(&mut self.bursts, trace);
            }
            if trace.taken && at >= later {
                self.said.remove(trace.said, 1);
            }
        }
    }

    pub(super) fn excuse(&mut self, id: BurstId, now: UnixMillis) {
        if let Some((key, burst)) = self.over.remove(&id) {
            self.said = std::mem::take(&mut self.said).with(&burst.says);
            // If similar ballots have begun another burst since, that one has a decision of its own.
            self.bursts.entry(key).or_insert(Burst {
                excused: Some(now),
                ..burst
            });
        }
        for burst in self.bursts.values_mut() {
            if burst.id != Some(id) {
                continue;
            }
            // What is decided twice is added once.
            if burst.excused.is_none() {
                self.said = std::mem::take(&mut self.said).with(&burst.says);
            }
            burst.excused = Some(now);
            burst.waiting.clear();
        }
    }

    pub(super) fn take(&mut self, poll: PollId, now: UnixMillis) -> Vec<Due> {
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
                    pushed: burst.pushed,
                    held: burst.held,
                    voters: if burst.held {
                        burst.waiting.iter().copied().collect()
                    } else {
                        burst.waiting.drain().collect()
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
            burst.waiting.insert(trace.voter);
        }
        burst.says.add(trace.said, 1);
        if burst.networks.len() < MOST_NETWORKS {
            burst.networks.insert(trace.network);
        }
        burst.last = trace.at;
        return;
    }
}
