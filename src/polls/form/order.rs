//! The order in which a reader sees the options of a question. Pure.
//!
//! A browser that has voted here keeps its order, and a reader known by the link of a mail has that link's; a first-time
//! visitor gets a random order for each rendering. A cached page has the same order for everybody who gets that copy: no cookie is set
//! before an answer, so these readers cannot be told apart. Only a pasted form is shuffled in the browser, by the
//! module: it may be cached for ever. "Other" and "None of these" stay last.

use super::view::FormView;
use crate::polls::model::{Order, Poll, Question, Role};
use crate::types::SplitMix;

/// The order of the question's options, as indices into the definition.
pub fn places(question: &Question, seed: u64) -> Vec<usize> {
    let mut places: Vec<usize> = (0..question.options.len()).collect();
    if question.order == Order::Random {
        SplitMix::new(seed ^ question.key.unsigned_abs().rotate_left(32)).shuffle(&mut places);
    }
    places.sort_by_key(|place| match question.options[*place].role {
        Role::Plain => 0,
        Role::Words => 1,
        Role::Apart => 2,
    });
    places
}

impl FormView {
    /// Puts the options of randomly ordered questions into the order given by `seed`.
    pub fn shuffle(&mut self, poll: &Poll, seed: u64) {
        for (view, question) in self.questions.iter_mut().zip(&poll.questions) {
            if question.order == Order::Fixed {
                continue;
            }
            let order: Vec<i64> = places(question, seed)
                .into_iter()
                .map(|place| question.options[place].key)
                .collect();
            view.options
                .sort_by_key(|option| order.iter().position(|key| *key == option.key));
        }
    }
}

/// A seed from the last bytes of a voter's key; the first bytes may be a timestamp.
pub fn seed_of(key: &[u8]) -> u64 {
    key.iter()
        .rev()
        .take(8)
        .fold(0, |seed, byte| (seed << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::polls::model::example;

    #[test]
    fn every_place_is_as_likely_and_the_same_seed_gives_the_same_order() {
        let mut poll = example::single(&["a", "b", "c", "d"]);
        poll.questions[0].order = Order::Random;
        let question = &poll.questions[0];
        let mut first = [0_i32; 4];
        for seed in 0..40_000 {
            let places = places(question, seed);
            first[places[0]] += 1;
        }
        assert!(first.iter().all(|n| (n - 10_000).abs() < 500), "{first:?}");
        assert_eq!(places(question, 7), places(question, 7));
    }

    #[test]
    fn what_stands_apart_stays_last_and_a_fixed_order_stays() {
        let mut poll = example::single(&["a", "b", "c", "Other", "None"]);
        poll.questions[0].options[3].role = Role::Words;
        poll.questions[0].options[4].role = Role::Apart;
        assert_eq!(places(&poll.questions[0], 9), [0, 1, 2, 3, 4]);
        poll.questions[0].order = Order::Random;
        let mut moved = false;
        for seed in 0..100 {
            let places = places(&poll.questions[0], seed);
            assert_eq!(places[3..], [3, 4]);
            moved |= places[..3] != [0, 1, 2];
        }
        assert!(moved);
        let mut view = FormView::of(&poll, None);
        view.shuffle(&poll, 3);
        let expected: Vec<i64> = places(&poll.questions[0], 3)
            .iter()
            .map(|p| *p as i64 + 1)
            .collect();
        assert_eq!(
            view.questions[0]
                .options
                .iter()
                .map(|o| o.key)
                .collect::<Vec<_>>(),
            expected
        );
    }
}
