//! Many answers in one durable commit.
//!
//! A group of answers that waited together is written with a handful of set-based statements (two round trips to
//! SQLite, five or six to PostgreSQL, `BEGIN` and `COMMIT` included), whatever its size: the state of the polls (the
//! close is decided here, by the clock at the commit), the new ballots, the changed ballots, the tally, the places, the
//! refusals, and the page of the log that records it. Whether a voter is new is decided under the writer's lock
//! (SQLite) or by the primary key of `ballot` (PostgreSQL), never by an earlier check.

use std::collections::{BTreeMap, HashMap};

use sea_orm::DbErr;

use super::chain::{self, Heads};
use super::close;
use super::counts::Counts;
use super::insert::{insert, update};
use super::links::Links;
use super::log::{Ballot, Entry, write};
use super::repeats::Repeats;
use super::rows::{Before, Known, Last, Polls, Waiting, look};
use super::slip::{Answer, Outcome, Slip, VoterKey};
use crate::db::{Batch, Db};
use crate::polls::answer::{Reason, refusals};
use crate::polls::model::{Phase, Place, PollState, phase};
use crate::types::{Clock, PollId, UnixMillis};

/// The size of the largest group: 512 ballots have 4,096 parameters, far below the limits of both databases.
pub const LARGEST_GROUP: usize = 512;

/// Commits a group. `slot` is this node's stripe of the counting tables, and its chain.
///
/// # Errors
/// A database error; nothing was written.
pub async fn commit(
    db: &Db,
    clock: &Clock,
    slot: i64,
    group: &[Slip],
) -> Result<Vec<Outcome>, DbErr> {
    let (outcomes, _) = commit_and_tell(db, clock, slot, group).await?;
    Ok(outcomes)
}

/// Like [`commit`], but also returns the new ends of the chains.
pub(super) async fn commit_and_tell(
    db: &Db,
    clock: &Clock,
    slot: i64,
    group: &[Slip],
) -> Result<(Vec<Outcome>, Heads), DbErr> {
    let (txn, polls, mut before, answered) = look(db, slot, group).await?;
    let mut repeats = Repeats::new(answered);
    // The clock is read while holding the writer, so that no answer is accepted after a poll was closed.
    let now = clock.now();
    let judged = Judged::of(group, &polls, &mut repeats, now);

    let mut heads: Heads = polls.iter().map(|(id, now)| (*id, now.head)).collect();
    let mut batch = Batch::default();
    insert(&txn, &judged.last, &mut before, now, &mut batch).await?;
    let moved = Moved::of(&judged.last, &before, &heads, now);

    update(&mut batch, &moved.changed, now);
    moved.counts.write(&mut batch, slot);
    let pages = moved.pages.into_iter().collect();
    let ahead = chain::add(&mut batch, slot, now, &heads, pages);
    moved.links.write(&mut batch, db.backend(), now);
    let mut outcomes = settled(group, judged.outcomes, &judged.last, &moved.said);
    let handed_over = group.iter().zip(&outcomes);
    let handed_over = handed_over.filter(|(_, outcome)| **outcome == Outcome::HandedOver);
    let mut refused = judged.refused;
    refused.extend(handed_over.map(|(slip, _)| (slip.poll(), Reason::HandedOver)));
    refusals::add(&mut batch, slot, now, &refused);
    repeats.settle(&mut outcomes, &mut batch, now);
    txn.commit_with(batch).await?;
    if let Err(error) = close::remember(db, now, &judged.seen_closed).await {
        let closed: Vec<i64> = judged.seen_closed.iter().map(|poll| poll.0).collect();
        tracing::warn!(polls = ?closed, %error, "the close of polls could not be recorded; it is tried again");
    }
    heads.extend(ahead);
    Ok((outcomes, heads))
}

/// The slips of a group, each checked against the current state of its poll.
struct Judged<'a> {
    /// `None`: goes into the box; its effect is known once the ballots are written. `Same`: goes into the box, and
    /// repeats this voter's previous answer in the group.
    outcomes: Vec<Option<Outcome>>,
    last: Last<'a>,
    refused: Vec<(PollId, Reason)>,
    /// Polls whose closing time has passed, if that is not recorded yet.
    seen_closed: Vec<PollId>,
}

impl<'a> Judged<'a> {
    fn of(group: &'a [Slip], polls: &Polls, repeats: &mut Repeats<'a>, now: UnixMillis) -> Self {
        let mut judged = Self {
            outcomes: vec![Some(Outcome::Edited); group.len()],
            last: Last::new(),
            refused: Vec::new(),
            seen_closed: Vec::new(),
        };
        for (n, slip) in group.iter().enumerate() {
            match slip {
                Slip::Answer(answer) => judged.answer(n, answer, polls, repeats, now),
                Slip::Refused(poll, reason) => {
                    judged.outcomes[n] = Some(Outcome::Noted);
                    judged.refused.push((*poll, *reason));
                }
            }
        }
        judged
    }

    /// Checks the `n`th slip of the group.
    fn answer(
        &mut self,
        n: usize,
        answer: &'a Answer,
        polls: &Polls,
        repeats: &mut Repeats<'a>,
        now: UnixMillis,
    ) {
        let Some(state) = polls.get(&answer.poll.id) else {
            return;
        };
        // This comes first: a repeated request gets the first response, whatever became of the poll since.
        if let Some(once) = &answer.once
            && let Some(again) = repeats.answer(n, once)
        {
            self.outcomes[n] = Some(again);
            return;
        }
        // Once the poll was seen closed, a clock that is set back does not open it again.
        let latest = state.seen_closed.map_or(now, |at| at.max(now));
        // Ballots of an import go into a draft: nobody sees the poll, or answers it, before all of them are in.
        let carried = answer.place == Place::Elsewhere && state.state == PollState::Draft;
        let stage = if carried {
            PollState::Published
        } else {
            state.state
        };
        match phase(stage, state.opens_at, state.closes_at, latest) {
            Phase::Open { .. } if state.revision != answer.poll.revision => {}
            Phase::Open { .. } => self.takes(n, answer),
            closed => {
                self.outcomes[n] = Some(Outcome::NotOpen(closed));
                self.refuses(answer.poll.id, closed, state.seen_closed.is_some());
            }
        }
    }

    /// Accepts an answer: as the voter's first of this group, or in place of the one before it.
    fn takes(&mut self, n: usize, answer: &'a Answer) {
        let mut same = false;
        self.last
            .entry((answer.poll.id, answer.voter))
            .and_modify(|waiting| same = !waiting.then(answer))
            .or_insert_with(|| Waiting::of(n, answer));
        self.outcomes[n] = same.then_some(Outcome::Same);
    }

    /// Refuses an answer: the poll accepts none in this phase. `noted`: its close is already recorded.
    fn refuses(&mut self, poll: PollId, phase: Phase, noted: bool) {
        let reason = if let Phase::Closed { at } = phase {
            if at.is_some() && !noted && !self.seen_closed.contains(&poll) {
                self.seen_closed.push(poll);
            }
            Reason::Closed
        } else {
            Reason::NotOpen
        };
        self.refused.push((poll, reason));
    }
}

/// What a group does to the ballots: the changes to the counters, and the pages of the log that record them.
#[derive(Default)]
pub(super) struct Moved<'a> {
    pub(super) counts: Counts,
    links: Links<'a>,
    pub(super) pages: BTreeMap<PollId, Vec<u8>>,
    /// Ballots that already existed and now say something else.
    changed: Vec<&'a Waiting<'a>>,
    /// The outcome for each voter's ballot.
    said: HashMap<(PollId, VoterKey), Outcome>,
}

impl<'a> Moved<'a> {
    /// `before` has the ballots that already existed.
    pub(super) fn of(last: &'a Last<'a>, before: &Known, heads: &Heads, now: UnixMillis) -> Self {
        let mut moved = Self {
            said: HashMap::with_capacity(last.len()),
            ..Self::default()
        };
        for (key, waiting) in last {
            let answer = waiting.answer;
            moved.links.of(answer, &waiting.choices, now);
            let (outcome, entry) = match before.get(key) {
                None => (Outcome::Counted, Some(moved.cast(waiting, now))),
                Some(old) if old.handed_over => (Outcome::HandedOver, None),
                Some(old) => match moved.change(waiting, old, now) {
                    None => (Outcome::Same, None),
                    entry => (Outcome::Changed, entry),
                },
            };
            moved.said.insert(*key, outcome);
            if let Some(entry) = entry {
                let page = moved.pages.entry(answer.poll.id).or_insert_with(|| {
                    let head = heads.get(&answer.poll.id).copied().unwrap_or_default();
                    chain::page(head, &answer.poll)
                });
                write(page, &entry);
            }
        }
        for (poll, issue, ballots) in moved.counts.mailed() {
            if let Some(page) = moved.pages.get_mut(&poll) {
                let issue = issue.0;
                write(page, &Entry::Mailed { issue, ballots });
            }
        }
        moved
    }

    /// Counts a voter's first ballot.
    fn cast(&mut self, waiting: &'a Waiting<'a>, now: UnixMillis) -> Entry<'a> {
        let (answer, ballot) = (waiting.answer, ballot(waiting));
        let poll = &answer.poll;
        self.counts.ballot(poll, ballot.tier, ballot.choices, 1);
        self.counts.place(poll.id, ballot.place, 1, now);
        self.counts.hour(poll.id, ballot.tier, now);
        if let Some(issue) = waiting.issue {
            self.counts.mail(poll.id, issue);
        }
        Entry::Cast(ballot)
    }

    /// Changes an existing ballot; `None`: it already says this.
    fn change(
        &mut self,
        waiting: &'a Waiting<'a>,
        old: &Before,
        now: UnixMillis,
    ) -> Option<Entry<'a>> {
        let mut ballot = ballot(waiting);
        if old.choices == waiting.choices && ballot.tier <= old.tier {
            return None;
        }
        let poll = &waiting.answer.poll;
        ballot.revision = old.revision + 1;
        // More may be known about the voter than before; a tier is never lowered.
        (ballot.tier, ballot.place) = (ballot.tier.max(old.tier), old.place);
        // A ballot that an editor set aside stays set aside, whatever it says now.
        if old.counts {
            self.counts.ballot(poll, old.tier, &old.choices, -1);
            self.counts.ballot(poll, ballot.tier, ballot.choices, 1);
            self.counts.place(poll.id, old.place, 0, now);
        }
        self.changed.push(waiting);
        Some(Entry::Changed(ballot))
    }
}

/// A first ballot, in the form of the log.
fn ballot<'a>(waiting: &'a Waiting<'a>) -> Ballot<'a> {
    let network = waiting.answer.network.as_ref();
    Ballot {
        voter: waiting.answer.voter,
        revision: 0,
        tier: waiting.tier.code(),
        place: waiting.place.code(),
        network: network.map(|network| &network[..]),
        choices: &waiting.choices,
    }
}

/// The outcome for each slip of the group, once the outcome for the ballots is known.
fn settled(
    group: &[Slip],
    judged: Vec<Option<Outcome>>,
    last: &Last<'_>,
    said: &HashMap<(PollId, VoterKey), Outcome>,
) -> Vec<Outcome> {
    let answers = group.iter().zip(judged).enumerate();
    answers
        .map(|(n, (slip, outcome))| match (outcome, slip) {
            (None | Some(Outcome::Same), Slip::Answer(answer)) => {
                let key = (answer.poll.id, answer.voter);
                let first = last.get(&key).is_some_and(|waiting| waiting.first == n);
                match said.get(&key) {
                    Some(Outcome::HandedOver) => Outcome::HandedOver,
                    Some(_) if outcome.is_some() => Outcome::Same,
                    // A voter has only one first ballot, however many of their answers are in the group.
                    Some(Outcome::Counted) if !first => Outcome::Changed,
                    Some(outcome) => *outcome,
                    None => Outcome::Edited,
                }
            }
            (outcome, _) => outcome.unwrap_or(Outcome::Noted),
        })
        .collect()
}
