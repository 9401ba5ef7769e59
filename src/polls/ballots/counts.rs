//! The counting tables: the tally, the places, the hours. The rules for what counts are defined only here; the commit,
//! the removals, the audit and the verification all use these functions.

use std::collections::BTreeMap;

use sea_orm::Value;

use super::details_store::Details;
use crate::db::Batch;
use crate::polls::answer::{Choice, stored_options};
use crate::polls::model::{Poll, Tier};
use crate::polls::results::VOTERS;
use crate::types::{IssueId, OptionId, PollId, UnixMillis};

/// Changes to the counting tables. Sorted, so that two nodes lock rows in the same order.
#[derive(Default)]
pub(super) struct Counts {
    tally: BTreeMap<(PollId, OptionId, i16), i64>,
    places: BTreeMap<(PollId, i16), Seen>,
    hours: BTreeMap<(PollId, UnixMillis, i16), i64>,
    mails: BTreeMap<(PollId, IssueId), i64>,
    details: Details,
}

/// The number of ballots first cast at a place, and the first and the last time anything happened to one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) n: i64,
    pub(super) first: UnixMillis,
    pub(super) last: UnixMillis,
}

impl Seen {
    /// Merges another number and time, as the upsert of the row does; the order does not matter.
    pub(super) fn join(seen: &mut Option<Self>, n: i64, at: UnixMillis) {
        match seen {
            None => {
                *seen = Some(Self {
                    n,
                    first: at,
                    last: at,
                });
            }
            Some(seen) => {
                seen.n += n;
                seen.first = seen.first.min(at);
                seen.last = seen.last.max(at);
            }
        }
    }
}

/// The rows of the tally that a ballot counts in.
pub(super) fn counted(choices: &[u8]) -> impl Iterator<Item = OptionId> {
    std::iter::once(VOTERS).chain(stored_options(choices))
}

impl Counts {
    /// Counts a ballot (`by` 1) or takes it out (`by` -1).
    pub(super) fn ballot(&mut self, poll: &Poll, tier: i16, choices: &[u8], by: i64) {
        for option in counted(choices) {
            *self.tally.entry((poll.id, option, tier)).or_default() += by;
        }
        if poll.has_details() {
            let choice = Choice::from_stored(choices);
            self.details.add(poll, Tier::from_code(tier), &choice, by);
        }
    }

    /// Adds `n` ballots at a place; with 0, only notes that something happened to one.
    pub(super) fn place(&mut self, poll: PollId, place: i16, n: i64, at: UnixMillis) {
        let mut seen = self.places.get(&(poll, place)).copied();
        Seen::join(&mut seen, n, at);
        if let Some(seen) = seen {
            self.places.insert((poll, place), seen);
        }
    }

    /// Adds one voter to this hour. Turnout says when readers answered, so ballots that are set
    /// aside later still count.
    pub(super) fn hour(&mut self, poll: PollId, tier: i16, now: UnixMillis) {
        *self.hours.entry((poll, now.hour(), tier)).or_default() += 1;
    }

    /// Adds one ballot that came by a mail of the issue.
    pub(super) fn mail(&mut self, poll: PollId, issue: IssueId) {
        *self.mails.entry((poll, issue)).or_default() += 1;
    }

    /// The numbers of ballots that came by mail, by poll and issue.
    pub(super) fn mailed(&self) -> impl Iterator<Item = (PollId, IssueId, i64)> {
        self.mails
            .iter()
            .map(|((poll, issue), n)| (*poll, *issue, *n))
    }

    /// Adds the statements to the batch. `slot` is this node's stripe.
    pub(super) fn write(&self, batch: &mut Batch, slot: i64) {
        let slot: Value = slot.into();
        let mails = self.mails.iter();
        batch.insert(
            "mail_vote (poll_id, issue_id, slot, counted)",
            mails.map(|((poll, issue), n)| {
                [(*poll).into(), (*issue).into(), slot.clone(), (*n).into()]
            }),
            "(poll_id, issue_id, slot) DO UPDATE SET counted = mail_vote.counted + excluded.counted",
        );
        let tally = self.tally.iter().filter(|(_, n)| **n != 0);
        batch.insert(
            "tally (poll_id, option_id, tier, slot, n)",
            tally.map(|((poll, option, tier), n)| {
                [
                    (*poll).into(),
                    (*option).into(),
                    (*tier).into(),
                    slot.clone(),
                    (*n).into(),
                ]
            }),
            "(poll_id, option_id, tier, slot) DO UPDATE SET n = tally.n + excluded.n",
        );
        self.details.write(batch, &slot);
        let places = self.places.iter();
        batch.insert(
            "poll_source (poll_id, source, slot, n, first_ms, last_ms)",
            places.map(|((poll, place), seen)| {
                let (n, first, last) = (seen.n.into(), seen.first.into(), seen.last.into());
                [(*poll).into(), (*place).into(), slot.clone(), n, first, last]
            }),
            "(poll_id, source, slot) DO UPDATE SET n = poll_source.n + excluded.n, \
             first_ms = CASE WHEN excluded.first_ms < poll_source.first_ms THEN excluded.first_ms ELSE poll_source.first_ms END, \
             last_ms = CASE WHEN excluded.last_ms > poll_source.last_ms THEN excluded.last_ms ELSE poll_source.last_ms END",
        );
        let hours = self.hours.iter();
        batch.insert(
            "poll_hour (poll_id, hour_ms, tier, slot, n)",
            hours.map(|((poll, hour, tier), n)| {
                [
                    (*poll).into(),
                    (*hour).into(),
                    (*tier).into(),
                    slot.clone(),
                    (*n).into(),
                ]
            }),
            "(poll_id, hour_ms, tier, slot) DO UPDATE SET n = poll_hour.n + excluded.n",
        );
    }
}
