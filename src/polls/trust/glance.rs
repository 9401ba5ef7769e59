//! A copy of what the watch has seen, and the groups in it that are unlikely to be people. Pure.
//!
//! Grouping thousands of ballots in four ways takes some tens of milliseconds, which is too long for the
//! lock that each answer takes.

use std::collections::{BTreeMap, HashMap};

use super::push::{Numbers, Push, Said, push};
use super::signs::{SMALLEST_FLEET, SMALLEST_GROUP, Sign, Trace, signs};
use super::watch::{Key, keys};

/// What was seen of a poll up to a certain time.
#[derive(Debug)]
pub(super) struct Glance {
    /// Ordered by time.
    pub traces: Vec<Trace>,
    /// The number of traces so far: later ones are not included.
    pub came: u64,
    /// The numbers of the ballots that are in no burst.
    pub said: Numbers,
    /// Whether these include what only the database had lately.
    pub asked: bool,
    /// The open bursts, and whether an editor said that they are crowds.
    pub bursts: BTreeMap<Key, bool>,
}

/// The result of a look.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The same as in the [`Glance`].
    pub came: u64,
    pub groups: Vec<Group>,
    /// Whether the database must be asked for other ballots before a group can be judged.
    pub short: bool,
}

/// Ballots that came as one person or one program would send them.
#[derive(Debug)]
pub(super) struct Group {
    pub key: Key,
    pub signs: Vec<Sign>,
    /// What they push.
    pub pushed: Said,
    /// Everything they say.
    pub says: Numbers,
    /// Whether there are too few other ballots to know if those say something else.
    pub held: bool,
    /// Ordered by time.
    pub traces: Vec<Trace>,
}

impl Glance {
    /// Groups the ballots that are in no burst yet, and returns the groups that are unlikely to be people.
    pub fn judged(mut self) -> Found {
        let mut groups: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
        let mut of_network: HashMap<[u8; 8], usize> = HashMap::new();
        for trace in self.traces.iter().filter(|trace| !trace.taken) {
            *of_network.entry(trace.network).or_default() += 1;
        }
        let excused = |key: &Key| self.bursts.get(key).is_some_and(|excused| *excused);
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
        let mut found = Found {
            came: self.came,
            ..Found::default()
        };
        for (key, members) in groups {
            let fleet = matches!(key, Key::Fleet(_) | Key::Machines);
            let smallest = if fleet {
                SMALLEST_FLEET
            } else {
                SMALLEST_GROUP
            };
            if members.len() >= smallest && !self.bursts.contains_key(&key) {
                let group = self.judge(key, &members);
                if group.as_ref().is_some_and(|group| group.held) && !self.asked {
                    found.short = true;
                    continue;
                }
                found.groups.extend(group);
            }
        }
        found
    }

    fn judge(&mut self, key: Key, members: &[usize]) -> Option<Group> {
        let traces: Vec<Trace> = members
            .iter()
            .filter_map(|at| self.traces.get(*at))
            .filter(|trace| !trace.taken)
            .copied()
            .collect();
        let one_browser = matches!(key, Key::Browser(..) | Key::Fleet(_));
        let signs = signs(&traces, one_browser)?;
        let mut says = Numbers::default();
        for trace in &traces {
            says.add(trace.said, 1);
        }
        let crowd_like = signs.iter().all(|sign| sign.a_crowd_may_have());
        if crowd_like {
            push(&says, &self.beside(key), crowd_like)?;
        }
        let rest = self.said.clone().without(&says);
        let (pushed, held) = match push(&says, &rest, crowd_like)? {
            Push::Yes(said) => (said, false),
            // There is nothing to compare it with in the database either, and it does not agree with itself.
            Push::Perhaps(said) if self.asked && said.is_nothing() => return None,
            Push::Perhaps(said) => (said, true),
        };
        if !held || self.asked {
            for at in members {
                if let Some(trace) = self.traces.get_mut(*at) {
                    trace.taken = true;
                }
            }
            self.said = rest;
        }
        Some(Group {
            key,
            signs,
            pushed,
            says,
            held,
            traces,
        })
    }

    /// What other browsers say, there or everywhere, whose ballots came in the same minutes and also like a program's:
    /// readers of the same plain form after the same debate say something else than the readers before them, but all of
    /// them do.
    fn beside(&self, key: Key) -> Numbers {
        let other = |trace: &Trace| match key {
            Key::Browser(network, shape) => trace.network == network && trace.shape != shape,
            Key::Fleet(shape) => trace.shape != shape,
            Key::Network(_) | Key::Machines => false,
        };
        let mut says = Numbers::default();
        for trace in self.traces.iter().filter(|trace| !trace.taken) {
            if trace.is_machine_like() && other(trace) {
                says.add(trace.said, 1);
            }
        }
        says
    }
}
