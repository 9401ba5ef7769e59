//! Choices that have a different order in each mail.
//!
//! Somebody who always takes the first link (a scanner, a hasty reader) then takes each choice equally often, which
//! leaves noise but no bias. The order depends only on seed and reader, so that it is the same at every attempt and in
//! both parts. It is no secret and needs no true randomness, but it must be balanced: see [`Choices::order`].

use serde::{Deserialize, Serialize};

use super::slots::SignedLink;
use crate::types::{Purpose, ReaderId, SplitMix};

/// A set of choices, each with a text and a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choices {
    seed: Vec<i64>,
    choices: Vec<Choice>,
    /// This many at the end keep their places.
    #[serde(default)]
    fixed: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Choice {
    words: String,
    link: SignedLink,
}

impl Choices {
    /// An empty set. Sets with different seeds (an issue, a poll) are ordered independently of each other.
    #[must_use]
    pub fn new(seed: &[i64]) -> Self {
        Self {
            seed: seed.to_vec(),
            choices: Vec::new(),
            fixed: 0,
        }
    }

    /// Adds a choice: its text in plain text, its link as in [`Slots::link`](super::Slots::link).
    pub fn add(&mut self, words: &str, path: &str, purpose: Purpose, numbers: &[i64]) {
        let choice = Choice {
            words: words.to_owned(),
            link: SignedLink::new(path, purpose, numbers),
        };
        self.choices.insert(self.choices.len() - self.fixed, choice);
    }

    /// Adds a choice that comes after all others in every mail, such as "Other".
    pub fn add_last(&mut self, words: &str, path: &str, purpose: Purpose, numbers: &[i64]) {
        self.add(words, path, purpose, numbers);
        let added = self.choices.len() - self.fixed - 1;
        self.choices[added..].rotate_left(1);
        self.fixed += 1;
    }

    /// The number of choices.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.choices.len()
    }

    pub(super) fn words(&self, at: usize) -> &str {
        self.choices.get(at).map_or("", |choice| &choice.words)
    }

    pub(super) fn link(&self, at: usize) -> Option<&SignedLink> {
        self.choices.get(at).map(|choice| &choice.link)
    }

    /// The choice at each place for this reader.
    ///
    /// Readers are grouped into blocks with as many readers as there are choices. A block has one arrangement, drawn by
    /// a hash, and each of its readers a different rotation of it. So within a block every choice has every place
    /// exactly once (a Latin square); independent draws would leave a random deviation of 0.5 percentage points among
    /// 10,000 readers.
    pub(super) fn order(&self, reader: ReaderId) -> Vec<usize> {
        let n = self.choices.len() - self.fixed;
        let mut order: Vec<usize> = (0..self.choices.len()).collect();
        let (Some(shuffled), Ok(readers @ 1..)) = (order.get_mut(..n), i64::try_from(n)) else {
            return order;
        };
        let block = reader.0.div_euclid(readers);
        SplitMix::of(self.seed.iter().copied().chain([block])).shuffle(shuffled);
        let turn = usize::try_from(reader.0.rem_euclid(readers)).unwrap_or(0);
        shuffled.rotate_left(turn);
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices(n: usize, seed: &[i64]) -> Choices {
        let mut choices = Choices::new(seed);
        for i in 0..n {
            choices.add(&format!("Option {i}"), "/v/", Purpose::Vote, &[i as i64]);
        }
        choices
    }

    /// The largest deviation of any choice's share at any place from an even share, in percentage points.
    fn bias(choices: &Choices, readers: impl Iterator<Item = i64>) -> f64 {
        let n = choices.len();
        let (mut at, mut mails) = (vec![vec![0u32; n]; n], 0u32);
        for reader in readers {
            mails += 1;
            for (place, choice) in choices.order(ReaderId(reader)).into_iter().enumerate() {
                at[place][choice] += 1;
            }
        }
        let even = 100.0 / n as f64;
        at.iter()
            .flatten()
            .map(|&count| (f64::from(count) * 100.0 / f64::from(mails) - even).abs())
            .fold(0.0, f64::max)
    }

    #[test]
    fn every_choice_stands_at_every_place_equally_often() {
        for n in 2..=12 {
            for issue in 1..=5 {
                let choices = choices(n, &[issue, 7]);
                let off = bias(&choices, 1..=10_000);
                assert!(off < 0.2, "{n} choices, issue {issue}: {off} points");
            }
        }
    }

    #[test]
    fn a_list_with_gaps_is_no_worse_than_drawn_lots() {
        for n in [2, 3, 5] {
            let choices = choices(n, &[3, 9]);
            for step in [2, 3, 7, 10] {
                let off = bias(&choices, (1..=30_000).map(|i| i * step));
                assert!(off < 1.2, "{n} choices, every {step}th: {off} points");
            }
        }
    }

    #[test]
    fn the_order_is_the_readers_and_another_in_another_issue() {
        let (one, other) = (choices(5, &[1, 7]), choices(5, &[2, 7]));
        assert_eq!(one.order(ReaderId(42)), one.order(ReaderId(42)));
        let differ = (1..=1_000).filter(|&r| one.order(ReaderId(r)) != other.order(ReaderId(r)));
        assert!(differ.count() > 900);
        let mut sorted = one.order(ReaderId(42));
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn what_stands_last_stays_there() {
        let mut choices = Choices::new(&[1]);
        choices.add_last("Other", "/v/", Purpose::Vote, &[1]);
        choices.add("Yes", "/v/", Purpose::Vote, &[2]);
        choices.add_last("None of these", "/v/", Purpose::Vote, &[3]);
        choices.add("No", "/v/", Purpose::Vote, &[4]);
        let words = |reader| -> Vec<&str> {
            let order = choices.order(ReaderId(reader)).into_iter();
            order.map(|at| choices.words(at)).collect()
        };
        for reader in 0..20 {
            assert_eq!(words(reader)[2..], ["Other", "None of these"]);
        }
        assert_ne!(words(0)[0], words(1)[0], "one of two, then the other");
    }

    #[test]
    fn none_and_one_have_one_order() {
        assert!(choices(0, &[1]).order(ReaderId(5)).is_empty());
        assert_eq!(choices(1, &[1]).order(ReaderId(5)), [0]);
        // The reader of a preview, and an id that no database assigns.
        assert_eq!(choices(2, &[1]).order(ReaderId(0)).len(), 2);
        assert_eq!(choices(2, &[1]).order(ReaderId(i64::MIN)).len(), 2);
    }
}
