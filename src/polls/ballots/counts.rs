//! The counting tables: the tally, the places, the hours.

use std::collections::BTreeMap;

use sea_orm::{DbErr, Value};

use super::details_store::Details;
use super::slip::Answer;
use crate::db::{WriteTxn, run, values_list};
use crate::polls::choice::Choice;
use crate::polls::model::{Place, Poll, Tier};
use crate::polls::results::VOTERS;
use crate::types::{IssueId, OptionId, PollId, UnixMillis};

/// What a group adds to the counting tables. Sorted, so that two nodes touch rows in the same order.
#[derive(Default)]
pub(super) struct Counts {
    tally: BTreeMap<(PollId, OptionId, i16), i64>,
    places: BTreeMap<(PollId, i16), (i64, UnixMillis)>,
    hours: BTreeMap<(PollId, UnixMillis, i16), i64>,
    mails: BTreeMap<(PollId, IssueId), i64>,
    details: Details,
}

impl Counts {
    pub(super) fn voter(&mut self, answer: &Answer, now: UnixMillis) {
        *self
            .tally
            .entry((answer.poll.id, VOTERS, answer.tier.code()))
            .or_default() += 1;
        *self
            .hours
            .entry((answer.poll.id, now.hour(), answer.tier.code()))
            .or_default() += 1;
        self.touch(answer.poll.id, answer.place, now);
        self.places
            .entry((answer.poll.id, answer.place.code()))
            .and_modify(|place| place.0 += 1);
    }

    /// Moves one voter from tier to tier.
    pub(super) fn raise(&mut self, poll: PollId, from: Tier, to: Tier) {
        for (tier, by) in [(from, -1), (to, 1)] {
            *self.tally.entry((poll, VOTERS, tier.code())).or_default() += by;
        }
    }

    pub(super) fn touch(&mut self, poll: PollId, place: Place, now: UnixMillis) {
        self.places.entry((poll, place.code())).or_insert((0, now));
    }

    /// Everything a ballot says, `by` times: −1 takes it back.
    pub(super) fn choice(&mut self, poll: &Poll, tier: Tier, choice: &Choice, by: i64) {
        for &option in choice.options() {
            *self
                .tally
                .entry((poll.id, option, tier.code()))
                .or_default() += by;
        }
        self.details.add(poll, tier, choice, by);
    }

    /// One more ballot that a mail of the issue brought.
    pub(super) fn mail(&mut self, poll: PollId, issue: IssueId) {
        *self.mails.entry((poll, issue)).or_default() += 1;
    }

    pub(super) async fn write(&self, txn: &WriteTxn, slot: i64) -> Result<(), DbErr> {
        if !self.mails.is_empty() {
            let sql = format!(
                "INSERT INTO mail_vote (poll_id, issue_id, slot, counted) VALUES {} \
                 ON CONFLICT (poll_id, issue_id, slot) DO UPDATE SET counted = mail_vote.counted + excluded.counted",
                values_list(self.mails.len(), 4, 0)
            );
            let values = self
                .mails
                .iter()
                .flat_map(|((poll, issue), n)| -> [Value; 4] {
                    [(*poll).into(), (*issue).into(), slot.into(), (*n).into()]
                });
            run(&**txn, sql, values).await?;
        }
        let tally: Vec<_> = self.tally.iter().filter(|(_, n)| **n != 0).collect();
        if !tally.is_empty() {
            let sql = format!(
                "INSERT INTO tally (poll_id, option_id, tier, slot, n) VALUES {} \
                 ON CONFLICT (poll_id, option_id, tier, slot) DO UPDATE SET n = tally.n + excluded.n",
                values_list(tally.len(), 5, 0)
            );
            let values = tally
                .iter()
                .flat_map(|((poll, option, tier), n)| -> [Value; 5] {
                    [
                        (*poll).into(),
                        (*option).into(),
                        (*tier).into(),
                        slot.into(),
                        (**n).into(),
                    ]
                });
            run(&**txn, sql, values).await?;
        }
        self.details.write(txn, slot).await?;
        if !self.places.is_empty() {
            let sql = format!(
                "INSERT INTO poll_source (poll_id, source, slot, n, first_ms, last_ms) VALUES {} \
                 ON CONFLICT (poll_id, source, slot) DO UPDATE SET n = poll_source.n + excluded.n, \
                 last_ms = CASE WHEN excluded.last_ms > poll_source.last_ms THEN excluded.last_ms ELSE poll_source.last_ms END",
                values_list(self.places.len(), 6, 0)
            );
            let values = self
                .places
                .iter()
                .flat_map(|((poll, place), (n, at))| -> [Value; 6] {
                    [
                        (*poll).into(),
                        (*place).into(),
                        slot.into(),
                        (*n).into(),
                        (*at).into(),
                        (*at).into(),
                    ]
                });
            run(&**txn, sql, values).await?;
        }
        if !self.hours.is_empty() {
            let sql = format!(
                "INSERT INTO poll_hour (poll_id, hour_ms, tier, slot, n) VALUES {} \
                 ON CONFLICT (poll_id, hour_ms, tier, slot) DO UPDATE SET n = poll_hour.n + excluded.n",
                values_list(self.hours.len(), 5, 0)
            );
            let values = self
                .hours
                .iter()
                .flat_map(|((poll, hour, tier), n)| -> [Value; 5] {
                    [
                        (*poll).into(),
                        (*hour).into(),
                        (*tier).into(),
                        slot.into(),
                        (*n).into(),
                    ]
                });
            run(&**txn, sql, values).await?;
        }
        Ok(())
    }
}
