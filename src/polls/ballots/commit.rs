//! Many answers in one durable commit.
//!
//! A group of answers that waited together is written with a handful of set-based statements (two trips to SQLite, five or six to
//! PostgreSQL, `BEGIN` and `COMMIT` included), whatever its size: the polls' state (the close is decided here, by the clock at the commit), the new ballots, the
//! ballots that changed, the tally, the places, the refusals, and the page of the log that tells of it. Whether a
//! voter is new is decided under the writer's lock (SQLite) or by the primary key of `ballot` (PostgreSQL); nothing is checked before that.

use std::collections::{BTreeMap, HashMap};

use sea_orm::DbErr;

use super::chain::{self, Heads};
use super::close;
use super::counts::Counts;
use super::links::Links;
use super::log::{Ballot, Entry, write};
use super::repeats::Repeats;
use super::rows::{Last, Waiting, insert, look, update};
use super::slip::{Outcome, Slip, VoterKey};
use crate::db::{Batch, Db};
use crate::polls::answer::{Reason, refusals};
use crate::polls::model::{Phase, Place, PollState, phase};
use crate::types::{Clock, PollId};

/// The largest group: 512 ballots are 4,096 parameters, far below what either database takes.
pub const LARGEST_GROUP: usize = 512;

/// Commits a group. `slot` is this node's stripe of the counting tables, and its chain.
///
/// # Errors
/// What the database said; then nothing was written.
pub async fn commit(
    db: &Db,
    clock: &Clock,
    slot: i64,
    group: &[Slip],
) -> Result<Vec<Outcome>, DbErr> {
    let (txn, current, mut before, answered) = look(db, slot, group).await?;
    let mut repeats = Repeats::new(answered);
    // The clock is read when the writer is ours: nothing that closed before can slip in behind.
    let now = clock.now();

    // None: in the box; what it did there is known once the ballots are written. Same: in the box, as the one of this voter before it.
    let mut outcomes: Vec<Option<Outcome>> = vec![Some(Outcome::Edited); group.len()];
    let mut last = Last::new();
    let mut refused: Vec<(PollId, Reason)> = Vec::new();
    let mut seen_closed: Vec<PollId> = Vec::new();
    for (i, slip) in group.iter().enumerate() {
        let answer = match slip {
            Slip::Answer(answer) => answer,
            Slip::Refused(poll, reason) => {
                outcomes[i] = Some(Outcome::Noted);
                refused.push((*poll, *reason));
                continue;
            }
        };
        let poll = answer.poll.id;
        let Some(state) = current.get(&poll) else {
            continue;
        };
        // Before anything else: the first answer stands, whatever became of the poll since.
        if let Some(once) = &answer.once
            && let Some(again) = repeats.answer(i, once)
        {
            outcomes[i] = Some(again);
            continue;
        }
        // Once it was seen closed, no clock that steps back opens it again.
        let latest = state.seen_closed.map_or(now, |at| at.max(now));
        // What is carried over from elsewhere goes into a draft: nobody sees it, or answers beside it, before all of it is in.
        let carried = answer.place == Place::Elsewhere && state.state == PollState::Draft;
        let stage = if carried {
            PollState::Published
        } else {
            state.state
        };
        match phase(stage, state.opens_at, state.closes_at, latest) {
            Phase::Open { .. } if state.revision != answer.poll.revision => {}
            Phase::Open { .. } => {
                let mut same = false;
                last.entry((poll, answer.voter))
                    .and_modify(|waiting| same = !waiting.then(answer))
                    .or_insert_with(|| Waiting::of(i, answer));
                outcomes[i] = same.then_some(Outcome::Same);
            }
            closed => {
                outcomes[i] = Some(Outcome::NotOpen(closed));
                let reason = if let Phase::Closed { at } = closed {
                    if at.is_some() && state.seen_closed.is_none() && !seen_closed.contains(&poll) {
                        seen_closed.push(poll);
                    }
                    Reason::Closed
                } else {
                    Reason::NotOpen
                };
                refused.push((poll, reason));
            }
        }
    }

    let mut counts = Counts::default();
    let heads: Heads = current.iter().map(|(id, now)| (*id, now.head)).collect();
    let mut pages: BTreeMap<PollId, Vec<u8>> = BTreeMap::new();
    let mut batch = Batch::default();
    let mut links = Links::default();
    insert(&txn, &last, &mut before, now, &mut batch).await?;
    let mut changed: Vec<&Waiting<'_>> = Vec::new();
    let mut said: HashMap<(PollId, VoterKey), Outcome> = HashMap::with_capacity(last.len());
    for (key, waiting) in &last {
        let answer = waiting.answer;
        links.of(answer, &waiting.choices, now);
        let mut ballot = Ballot {
            voter: answer.voter,
            revision: 0,
            tier: waiting.tier.code(),
            place: waiting.place.code(),
            network: answer.network.as_ref().map(|network| &network[..]),
            choices: &waiting.choices,
        };
        let entry = match before.get(key) {
            None => {
                counts.ballot(&answer.poll, ballot.tier, ballot.choices, 1);
                counts.place(answer.poll.id, ballot.place, 1, now);
                counts.hour(answer.poll.id, ballot.tier, now);
                if let Some(issue) = waiting.issue {
                    counts.mail(answer.poll.id, issue);
                }
                said.insert(*key, Outcome::Counted);
                Entry::Cast(ballot)
            }
            Some(old) if old.handed_over => {
                said.insert(*key, Outcome::HandedOver);
                continue;
            }
            Some(old) if old.choices == waiting.choices && ballot.tier <= old.tier => {
                said.insert(*key, Outcome::Same);
                continue;
            }
            Some(old) => {
                ballot.revision = old.revision + 1;
                // More may be known of the voter than before; what was known stays known.
                (ballot.tier, ballot.place) = (ballot.tier.max(old.tier), old.place);
                // What an editor set aside stays so, whatever it says now.
                if old.counts {
                    counts.ballot(&answer.poll, old.tier, &old.choices, -1);
                    counts.ballot(&answer.poll, ballot.tier, ballot.choices, 1);
                    counts.place(answer.poll.id, old.place, 0, now);
                }
                changed.push(waiting);
                said.insert(*key, Outcome::Changed);
                Entry::Changed(ballot)
            }
        };
        let page = pages.entry(answer.poll.id).or_insert_with(|| {
            let head = heads.get(&answer.poll.id).copied().unwrap_or_default();
            chain::page(head, &answer.poll)
        });
        write(page, &entry);
    }
    for (poll, issue, ballots) in counts.mailed() {
        if let Some(page) = pages.get_mut(&poll) {
            let issue = issue.0;
            write(page, &Entry::Mailed { issue, ballots });
        }
    }
    update(&mut batch, &changed, now);
    counts.write(&mut batch, slot);
    chain::add(&mut batch, slot, now, &heads, pages.into_iter().collect());
    refusals::add(&mut batch, slot, now, &refused);
    links.write(&mut batch, db.backend(), now);
    let answers = group.iter().zip(outcomes).enumerate();
    let mut outcomes: Vec<Outcome> = answers
        .map(|(i, (slip, outcome))| match (outcome, slip) {
            (None | Some(Outcome::Same), Slip::Answer(answer)) => {
                let key = (answer.poll.id, answer.voter);
                let first = last.get(&key).is_some_and(|waiting| waiting.first == i);
                match said.get(&key) {
                    Some(Outcome::HandedOver) => Outcome::HandedOver,
                    Some(_) if outcome.is_some() => Outcome::Same,
                    // A voter has one first ballot, however many answers came with it.
                    Some(Outcome::Counted) if !first => Outcome::Changed,
                    Some(outcome) => *outcome,
                    None => Outcome::Edited,
                }
            }
            (outcome, _) => outcome.unwrap_or(Outcome::Noted),
        })
        .collect();
    repeats.settle(&mut outcomes, &mut batch, now);
    txn.commit_with(batch).await?;
    if let Err(error) = close::remember(db, now, &seen_closed).await {
        tracing::warn!(%error, "that a poll is closed was not written down");
    }
    Ok(outcomes)
}
