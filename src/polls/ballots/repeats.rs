//! Repeated requests of scripts with the same Idempotency-Key: counted once, with the same response each time. Pure.
//!
//! Claiming the key, counting the ballot and storing the outcome are one commit. Within a group, the first request with
//! a key decides for the others.

use std::collections::HashMap;

use http::StatusCode;

use super::slip::{Outcome, Slip};
use crate::api::Once;
use crate::api::once_store::{Known, keep};
use crate::db::Batch;
use crate::types::{ApiTokenId, UnixMillis};

/// What is known about the keys of a group.
#[derive(Default)]
pub(super) struct Repeats<'a> {
    known: Known,
    /// The first slip of the group with a given key.
    first: HashMap<(ApiTokenId, &'a str), (usize, &'a Once)>,
    /// Slips that repeat the same request: their index and that of the first.
    twins: Vec<(usize, usize)>,
}

/// The Idempotency-Keys in a group.
pub(super) fn keys(group: &[Slip]) -> Vec<&Once> {
    let answers = group.iter().filter_map(|slip| match slip {
        Slip::Answer(answer) => answer.once.as_ref(),
        Slip::Refused(..) => None,
    });
    answers.collect()
}

impl<'a> Repeats<'a> {
    pub(super) fn new(known: Known) -> Self {
        Self {
            known,
            ..Self::default()
        }
    }

    /// The outcome of the `n`th slip without counting it; `None`: count it.
    pub(super) fn answer(&mut self, n: usize, once: &'a Once) -> Option<Outcome> {
        match self.known.of(once) {
            Some((_, false)) => return Some(Outcome::KeyReused),
            Some((status, true)) => {
                let first = status == StatusCode::CREATED;
                return Some(Outcome::Repeated { first });
            }
            None => {}
        }
        let place = (once.token, once.key.as_str());
        let (first, other) = *self.first.entry(place).or_insert((n, once));
        if first == n {
            return None;
        }
        if other.request != once.request {
            return Some(Outcome::KeyReused);
        }
        self.twins.push((n, first));
        Some(Outcome::Noted)
    }

    /// Gives the repeated requests the outcome of the first, and stores the outcomes under the keys.
    pub(super) fn settle(&self, outcomes: &mut [Outcome], batch: &mut Batch, now: UnixMillis) {
        let mut answered = Vec::new();
        for (first, once) in self.first.values() {
            match outcomes[*first] {
                Outcome::Counted => answered.push((*once, StatusCode::CREATED)),
                Outcome::Changed | Outcome::Same => answered.push((*once, StatusCode::OK)),
                _ => {}
            }
        }
        for (n, first) in &self.twins {
            outcomes[*n] = match outcomes[*first] {
                Outcome::Counted => Outcome::Repeated { first: true },
                Outcome::Changed | Outcome::Same => Outcome::Repeated { first: false },
                other => other,
            };
        }
        keep(batch, &answered, now);
    }
}
