//! Many answers in one durable commit.
//!
//! A group of answers that waited together is written with a handful of set-based statements, whatever its
//! size: the polls' state (the close is decided here, by the clock at the commit), the new ballots, the
//! ballots that changed, the tally, the places, the refusals. The primary key of `ballot` decides
//! whether a voter is new; nothing is checked first and inserted later.

use std::collections::{BTreeMap, HashMap};

use sea_orm::DbErr;

use super::counts::Counts;
use super::rows::{insert, lock, polls_now, update};
use super::slip::{Answer, Outcome, Slip, VoterKey};
use crate::db::Db;
use crate::polls::model::{Phase, phase};
use crate::polls::refusals::{self, Reason};
use crate::types::{Clock, PollId};

/// The largest group: 512 ballots are 4,096 parameters, far below what either database takes.
pub const LARGEST_GROUP: usize = 512;

/// Commits a group. `slot` is this node's stripe of the counting tables.
///
/// # Errors
/// What the database said; then nothing was written.
pub async fn commit(
    db: &Db,
    clock: &Clock,
    slot: i64,
    group: &[Slip],
) -> Result<Vec<Outcome>, DbErr> {
    let txn = db.write_txn("ballots").await?;
    // The clock is read when the writer is ours: nothing that closed before can slip in behind.
    let now = clock.now();
    let current = polls_now(db, &txn, group).await?;

    // None: in the box; what it did there is known once the ballots are written.
    let mut outcomes: Vec<Option<Outcome>> = vec![Some(Outcome::Edited); group.len()];
    let mut last: BTreeMap<(PollId, VoterKey), &Answer> = BTreeMap::new();
    let mut refused: Vec<(PollId, Reason)> = Vec::new();
    for (i, slip) in group.iter().enumerate() {
        let answer = match slip {
            Slip::Answer(answer) => answer,
            Slip::Refused(poll, reason) => {
                outcomes[i] = Some(Outcome::Noted);
                refused.push((*poll, *reason));
                continue;
            }
        };
        let Some(state) = current.get(&answer.poll.id) else {
            continue;
        };
        match phase(state.state, state.opens_at, state.closes_at, now) {
            Phase::Open { .. } if state.revision != answer.poll.revision => {}
            Phase::Open { .. } => {
                // Of several answers of one voter in a group the last counts, as if they had come one by one.
                last.insert((answer.poll.id, answer.voter), answer);
                outcomes[i] = None;
            }
            closed => {
                outcomes[i] = Some(Outcome::NotOpen(closed));
                let reason = if matches!(closed, Phase::Closed { .. }) {
                    Reason::Closed
                } else {
                    Reason::NotOpen
                };
                refused.push((answer.poll.id, reason));
            }
        }
    }

    let mut counts = Counts::default();
    let news = insert(&txn, &last, now).await?;
    let existing: Vec<(PollId, VoterKey)> = last
        .keys()
        .filter(|key| !news.contains(*key))
        .copied()
        .collect();
    let before = lock(db, &txn, &existing).await?;
    let mut changed: Vec<&Answer> = Vec::new();
    let mut said: HashMap<(PollId, VoterKey), Outcome> = HashMap::with_capacity(last.len());
    for (key, &answer) in &last {
        let outcome = match before.get(key) {
            None => {
                counts.voter(answer, now);
                if let Some(issue) = answer.issue {
                    counts.mail(answer.poll.id, issue);
                }
                counts.choice(&answer.poll, answer.tier, &answer.choice, 1);
                Outcome::Counted
            }
            Some(old) if old.choice == answer.choice && answer.tier <= old.tier => Outcome::Same,
            Some(old) => {
                // More may be known of the voter than before; what was known stays known.
                let tier = old.tier.max(answer.tier);
                counts.raise(answer.poll.id, old.tier, tier);
                counts.choice(&answer.poll, old.tier, &old.choice, -1);
                counts.choice(&answer.poll, tier, &answer.choice, 1);
                counts.touch(answer.poll.id, old.place, now);
                changed.push(answer);
                Outcome::Changed
            }
        };
        said.insert(*key, outcome);
    }
    update(&txn, &changed, now).await?;
    counts.write(&txn, slot).await?;
    refusals::add(&txn, slot, now, &refused).await?;
    txn.commit().await?;

    Ok(group
        .iter()
        .zip(outcomes)
        .map(|(slip, outcome)| match (outcome, slip) {
            (None, Slip::Answer(answer)) => said
                .get(&(answer.poll.id, answer.voter))
                .copied()
                .unwrap_or(Outcome::Edited),
            (outcome, _) => outcome.unwrap_or(Outcome::Noted),
        })
        .collect())
}
