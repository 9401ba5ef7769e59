//! What ballots say, and whether a group of them pushes. Pure.
//!
//! A group is compared with everybody else option by option, and not ballot by ballot: a program need not send the same
//! ballot twice to move one option. It may add decoys, answer the other questions at random, shuffle the lower ranks,
//! tick something else as well, or write new words each time.

use crate::polls::model::{Kind, Poll};
use crate::types::OptionId;
use crate::types::varint::pack;

/// Bits per part of a [`Said`].
const PART: usize = 64;
/// The parts: a poll has at most 200 options, with keys from 1.
const PARTS: usize = 4;
/// The fewest other ballots that allow a comparison.
const FEWEST_OTHERS: u64 = 20;
/// Without a comparison, how much of a group must say the same.
const AGREED: f64 = 0.8;
/// The fewest ballots that a group has more or fewer than expected for an option that it pushes.
const FEWEST_MORE: f64 = 5.0;
/// How many standard errors a difference in a single option takes. More than usual, because the watch looks every few
/// seconds.
const STANDARD_ERRORS: f64 = 3.5;

/// What a ballot can push: its options, of a ranked question only the first preference, and no words. A bit for each
/// option's key, so that it takes 32 bytes whatever the poll: the watch keeps one for every ballot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Said([u64; PARTS]);

impl Said {
    /// What a ballot with these `options` says. `options` are in the order of the ballot.
    pub fn of(poll: &Poll, options: &[OptionId]) -> Self {
        let mut said = Self::default();
        for question in &poll.questions {
            if question.kind == Kind::Ranked {
                let offered = |id: &OptionId| question.options.iter().find(|o| o.id == *id);
                let first = options.iter().find_map(offered);
                first.into_iter().for_each(|option| said.say(option.key));
            } else {
                let chosen = question.options.iter().filter(|o| options.contains(&o.id));
                chosen.for_each(|option| said.say(option.key));
            }
        }
        said
    }

    fn say(&mut self, key: i64) {
        let key = usize::try_from(key).unwrap_or(usize::MAX);
        if let Some(part) = self.0.get_mut(key / PART) {
            *part |= 1 << (key % PART);
        }
    }

    fn says(self, key: i64) -> bool {
        let key = usize::try_from(key).unwrap_or(usize::MAX);
        let part = self.0.get(key / PART).copied().unwrap_or(0);
        part & (1 << (key % PART)) != 0
    }

    /// The keys of the options.
    fn keys(self) -> impl Iterator<Item = usize> {
        self.0.into_iter().enumerate().flat_map(|(part, mut bits)| {
            std::iter::from_fn(move || {
                let bit = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
                bits &= bits - 1;
                Some(part * PART + bit)
            })
        })
    }

    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// The same, encoded like a ballot's choices.
    pub fn to_stored(self, poll: &Poll) -> Vec<u8> {
        let said = poll.options().filter(|option| self.says(option.key));
        pack(&said.map(|option| option.id.0).collect::<Vec<_>>())
    }
}

/// How many ballots there are, and how many of them say what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Numbers {
    ballots: u64,
    /// By the option's key.
    options: Vec<u64>,
}

impl Numbers {
    /// Adds `n` ballots that say this.
    pub fn add(&mut self, said: Said, n: u64) {
        self.ballots += n;
        for key in said.keys() {
            if self.options.len() <= key {
                self.options.resize(key + 1, 0);
            }
            self.options[key] += n;
        }
    }

    /// Takes `n` ballots off that say this.
    pub fn remove(&mut self, said: Said, n: u64) {
        self.ballots = self.ballots.saturating_sub(n);
        for key in said.keys() {
            if let Some(of_it) = self.options.get_mut(key) {
                *of_it = of_it.saturating_sub(n);
            }
        }
    }

    /// Takes `n` ballots off of which it is only known that they say this. Where a question has one answer, they say
    /// nothing else there; of everything else they are taken to say as much as all do.
    pub fn remove_partly_known(&mut self, poll: &Poll, known: Said, n: u64) {
        let n = n.min(self.ballots);
        let kept = (self.ballots - n) as f64 / self.ballots.max(1) as f64;
        self.remove(known, n);
        for question in &poll.questions {
            let is_known = question.options.iter().any(|o| known.says(o.key));
            if is_known && question.kind != Kind::Several {
                continue;
            }
            for option in question.options.iter().filter(|o| !known.says(o.key)) {
                let key = usize::try_from(option.key).unwrap_or(usize::MAX);
                if let Some(of_it) = self.options.get_mut(key) {
                    *of_it = (*of_it as f64 * kept).round() as u64;
                }
            }
        }
    }

    /// Both together.
    #[must_use]
    pub fn with(mut self, more: &Self) -> Self {
        self.ballots += more.ballots;
        if self.options.len() < more.options.len() {
            self.options.resize(more.options.len(), 0);
        }
        for (of_it, n) in self.options.iter_mut().zip(&more.options) {
            *of_it += n;
        }
        self
    }

    /// These without some of them.
    #[must_use]
    pub fn without(mut self, some: &Self) -> Self {
        self.ballots = self.ballots.saturating_sub(some.ballots);
        for (of_it, n) in self.options.iter_mut().zip(&some.options) {
            *of_it = of_it.saturating_sub(*n);
        }
        self
    }

    /// The share of the ballots that say this.
    fn share(&self, key: usize) -> f64 {
        let of_it = self.options.get(key).copied().unwrap_or(0);
        (of_it as f64 / self.ballots.max(1) as f64).min(1.0)
    }

    /// The options that meet a condition.
    fn those(&self, meet: impl Fn(usize) -> bool) -> Said {
        let mut said = Said::default();
        for key in (0..self.options.len()).filter(|key| meet(*key)) {
            said.say(i64::try_from(key).unwrap_or(0));
        }
        said
    }
}

/// What a group says, if it pushes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Push {
    /// There are too few other ballots to know what is usual. Nearly all of the group say this, which may be nothing.
    Perhaps(Said),
    /// The group says this more often than the other ballots do.
    Yes(Said),
}

/// Whether a group pushes: whether the share of any option in it differs from that in the `rest`. `None`: it says what
/// everybody says. `crowd_like`: a crowd may come in the same way, so that it takes more.
pub fn push(group: &Numbers, rest: &Numbers, crowd_like: bool) -> Option<Push> {
    if rest.ballots < FEWEST_OTHERS {
        let agreed = |key| group.share(key) >= AGREED;
        return Some(Push::Perhaps(group.those(agreed)));
    }
    let more = |key: usize| group.share(key) - rest.share(key);
    let differs = |key: usize| differs(group, rest, key, crowd_like);
    let options = 1..group.options.len().max(rest.options.len());
    // An option that the group leaves out is pushed as well, downwards.
    if !options.clone().any(differs) {
        return None;
    }
    let over = group.those(|key| more(key) > 0.0 && differs(key));
    if !over.is_nothing() {
        return Some(Push::Yes(over));
    }
    // What nobody in the group says is not what it pushes.
    let said = options.filter(|key| group.share(*key) > 0.0);
    let most = said.max_by(|a, b| more(*a).total_cmp(&more(*b)));
    Some(Push::Yes(group.those(|key| Some(key) == most)))
}

/// Whether a group says something much more often or more rarely than the others: nearly all of it say so, and 15 points
/// more than the others; or its share differs by at least 5 points, and by more than chance explains. So a large group is
/// noticed even if it adds only a little to what everybody says, and a small one is not because of the accidents of its
/// size. A group that may be a crowd has to meet both: the readers with one kind of phone need not think like the others.
///
/// By simulation, chance makes one in a hundred groups of 20 people differ, nearly always by the first rule, one in 3,000
/// of 120, and of those that have to meet both less than one in a thousand.
fn differs(group: &Numbers, rest: &Numbers, key: usize, crowd_like: bool) -> bool {
    let (share, usual) = (group.share(key), rest.share(key));
    let more = share - usual;
    if more.abs() < 0.05 || more.abs() * (group.ballots as f64) < FEWEST_MORE {
        return false;
    }
    let nearly_all = share >= AGREED && more >= 0.15;
    if crowd_like {
        nearly_all && beyond_chance(group, rest, key)
    } else {
        nearly_all || beyond_chance(group, rest, key)
    }
}

/// A test by likelihood (G-test): like one by standard errors, but right for options that few choose as well. The more
/// options there are, the more likely is an accident in one of them (Bonferroni; the normal distribution falls like
/// `exp(-z²/2)`).
fn beyond_chance(group: &Numbers, rest: &Numbers, key: usize) -> bool {
    let (n, others) = (group.ballots as f64, rest.ballots as f64);
    let (share, usual) = (group.share(key), rest.share(key));
    let both = (share * n + usual * others) / (n + others).max(1.0);
    let unlikely = 2.0 * (n * divergence(share, both) + others * divergence(usual, both));
    let options = group.options.len().max(rest.options.len()) as f64;
    unlikely >= STANDARD_ERRORS.powi(2) + 2.0 * options.max(1.0).ln()
}

/// How much a share differs from an expected one, in nats (Kullback-Leibler).
fn divergence(share: f64, expected: f64) -> f64 {
    let part = |share: f64, expected: f64| {
        if share > 0.0 {
            share * (share / expected).ln()
        } else {
            0.0
        }
    };
    part(share, expected) + part(1.0 - share, 1.0 - expected)
}

#[cfg(test)]
mod tests;
