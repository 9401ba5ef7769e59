//! Commits a group of new voters in a single round trip to the database.
//!
//! Most ballots of a rush are the first of their browser, which sends no cookie of ours, so there is nothing to look up
//! about the voter: should it have a ballot after all, the table's key refuses the insert. Everything else that a commit needs is known as well: the poll, as it was when the answer
//! was read, and the ends of the chains, as the last commit left them. Whether both are still current is checked in the
//! database, within the commit and under the same locks as on the regular path ([`super::commit()`]). If they are not,
//! nothing is written, and the group takes that path.

use std::collections::btree_map::Entry::Vacant;
use std::collections::{BTreeMap, HashMap};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use sea_orm::{DbErr, Value};
use tokio::sync::Mutex;

use super::chain::{self, Heads};
use super::commit::{self, Moved};
use super::insert;
use super::rows::{Last, Waiting};
use super::slip::{Outcome, Slip};
use crate::db::{
    Backend, Batch, Db, Sparing, TURN, Turns, connection_lost, fetch_all, is_unwritable,
};
use crate::polls::model::{Phase, Place, Poll};
use crate::types::token::random_token;
use crate::types::{Clock, PollId, Random, UnixMillis};

/// A poll that closes sooner takes the regular path, where the clock is read while holding the writer. No
/// request waits this long.
const CLOSES_SOON: Duration = Duration::from_secs(60);
/// The most chains whose ends are kept in memory.
const MOST_POLLS: usize = 1_000;
/// The pause between two attempts to read what became of a group.
const AGAIN: Duration = Duration::from_millis(100);

/// `$4` are the polls, `$5` the last pages of their chains, `$6` is the stripe, `$7` are the polls' revisions.
/// Locks chains before polls, like the regular path. The snapshot is taken before the locks, but a row is read
/// again once it is locked.
const GOOD: &str = "
held AS MATERIALIZED (
  SELECT c.poll_id FROM unnest(CAST($4 AS BIGINT[]), CAST($5 AS BIGINT[])) AS e(poll, seq)
  JOIN ballot_chain c ON c.poll_id = e.poll AND c.seq = e.seq
  WHERE c.slot = $6 AND EXISTS (SELECT 1 FROM turn) ORDER BY c.poll_id FOR UPDATE OF c),
answered AS MATERIALIZED (
  SELECT p.id FROM unnest(CAST($4 AS BIGINT[]), CAST($7 AS BIGINT[])) AS e(poll, revision)
  JOIN poll p ON p.id = e.poll AND p.revision = e.revision
  WHERE p.closed_ms IS NULL AND p.sealed_ms IS NULL AND (SELECT COUNT(*) FROM held) = cardinality(CAST($4 AS BIGINT[]))
  ORDER BY p.id FOR SHARE OF p),
good AS MATERIALIZED (
  SELECT 1 WHERE (SELECT COUNT(*) FROM answered) = cardinality(CAST($4 AS BIGINT[]))
  AND clock_timestamp() < statement_timestamp() + INTERVAL '30 s')";
const IS_GOOD: &str = "EXISTS (SELECT 1 FROM good)";

/// One writer of ballots: its stripe of the counting tables, and the chains it writes.
#[derive(Debug)]
pub struct Stripe {
    db: Db,
    clock: Clock,
    slot: i64,
    /// The ends of the chains after the last commit; empty while a commit is running.
    heads: std::sync::Mutex<Heads>,
    /// PostgreSQL only.
    turns: Option<Mutex<Turns>>,
    caution: std::sync::Mutex<Caution>,
}

/// How many groups take the regular path after one that was refused here, most likely because a voter of it had a ballot
/// already. In a poll whose readers change their answers in pages that keep no cookie of ours, most groups have such a
/// voter, and each would be written twice.
#[derive(Debug)]
struct Caution {
    left: u32,
    next: u32,
}

impl Caution {
    const LEAST: u32 = 4;
    const MOST: u32 = 256;

    fn allows(&mut self) -> bool {
        let allows = self.left == 0;
        self.left = self.left.saturating_sub(1);
        allows
    }

    fn refused(&mut self) {
        self.left = self.next;
        self.next = (self.next * 2).min(Self::MOST);
    }
}

impl Default for Caution {
    fn default() -> Self {
        Self {
            left: 0,
            next: Self::LEAST,
        }
    }
}

/// The result of committing a group.
#[derive(Debug)]
pub struct Committed {
    /// The outcome of each slip, in their order.
    pub outcomes: Vec<Outcome>,
    /// Whether it was committed in one round trip, without reading anything before.
    pub at_once: bool,
}

impl Stripe {
    /// `slot` is its stripe. `random` makes its name on PostgreSQL unique.
    #[must_use]
    pub fn new(db: &Db, clock: &Clock, random: &Random, slot: i64) -> Self {
        let turns = || {
            let name = format!("box {slot} of {}", random_token(random));
            Mutex::new(Turns::new(db, "ballots", name))
        };
        Self {
            db: db.clone(),
            clock: clock.clone(),
            slot,
            heads: std::sync::Mutex::default(),
            turns: (db.backend() == Backend::Postgres).then(turns),
            caution: std::sync::Mutex::default(),
        }
    }

    /// Commits a group. Groups must be committed one at a time.
    ///
    /// # Errors
    /// As for [`super::commit()`].
    pub async fn commit(&self, group: &[Slip]) -> Result<Committed, DbErr> {
        // If this fails or is dropped, no heads are left behind, and the next group takes the regular path.
        let heads = std::mem::take(&mut *self.heads());
        let now = self.clock.now();
        if let Some(plan) = Plan::of(group, &heads, now)
            && self.caution().allows()
        {
            match self.at_once(plan, &heads, now).await {
                Ok(Some(ahead)) => {
                    self.keep(heads, ahead);
                    *self.caution() = Caution::default();
                    return Ok(Committed {
                        outcomes: vec![Outcome::Counted; group.len()],
                        at_once: true,
                    });
                }
                Ok(None) => self.caution().refused(),
                Err(error) if connection_lost(&error) || is_unwritable(&error) => {
                    return Err(error);
                }
                Err(error) => {
                    self.caution().refused();
                    tracing::debug!(%error, "a group of new voters takes the regular path")
                }
            }
        }
        let (outcomes, ahead) =
            commit::commit_and_tell(&self.db, &self.clock, self.slot, group).await?;
        self.keep(heads, ahead);
        Ok(Committed {
            outcomes,
            at_once: false,
        })
    }

    fn heads(&self) -> MutexGuard<'_, Heads> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn caution(&self) -> MutexGuard<'_, Caution> {
        self.caution.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, mut heads: Heads, ahead: Heads) {
        if heads.len() > MOST_POLLS {
            heads.clear();
        }
        heads.extend(ahead);
        *self.heads() = heads;
    }

    /// Returns the new ends of the chains. `None`: something was not as expected, and nothing was written.
    async fn at_once(
        &self,
        plan: Plan<'_>,
        heads: &Heads,
        now: UnixMillis,
    ) -> Result<Option<Heads>, DbErr> {
        let moved = Moved::of(&plan.last, &HashMap::new(), heads, now);
        let backend = self.db.backend();
        let mut batch = match backend {
            Backend::Postgres => Batch::only_where(IS_GOOD, 7),
            Backend::Sqlite => Batch::default(),
        };
        insert::add(&mut batch, backend, &plan.last, now, IS_GOOD);
        moved.counts.write(&mut batch, self.slot);
        let pages = moved.pages.into_iter().collect();
        let ahead = chain::add(&mut batch, self.slot, now, heads, pages);
        match &self.turns {
            None => {
                chain::hold(&mut batch, self.slot, &plan.polls);
                self.db.write_at_once("ballots", batch).await?;
                Ok(Some(ahead))
            }
            Some(turns) => {
                let done = {
                    let (parts, values) = batch.into_parts();
                    let sql = format!("WITH {TURN},{GOOD}, {parts} SELECT {IS_GOOD} FROM turn");
                    let values = plan.expected(heads, self.slot).into_iter().chain(values);
                    let mut turns = turns.lock().await;
                    turns.run(&sql, values.collect(), now).await?
                };
                let written = match done {
                    Some(rows) => match rows.first() {
                        Some(row) => row.try_get_by_index(0)?,
                        None => false,
                    },
                    None => self.stands(&ahead).await,
                };
                Ok(written.then_some(ahead))
            }
        }
    }

    /// Whether the statement wrote anything; it was executed, but its result was lost.
    async fn stands(&self, ahead: &Heads) -> bool {
        let Some((poll, head)) = ahead.iter().next() else {
            return false;
        };
        let sql =
            "SELECT 1 FROM ballot_log WHERE poll_id = $1 AND slot = $2 AND seq = $3 AND hash = $4";
        let values: [Value; 4] = [
            (*poll).into(),
            self.slot.into(),
            head.seq.into(),
            head.hash.to_vec().into(),
        ];
        let sparing = Sparing::new();
        loop {
            match fetch_all(self.db.read(), sql, values.clone()).await {
                Ok(rows) => return !rows.is_empty(),
                // Returning an error would claim that nothing was written.
                Err(error) => {
                    if let Some(unsaid) = sparing.now() {
                        tracing::warn!(poll = poll.0, %error, unsaid, "the outcome of a group of ballots cannot be read yet");
                    }
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }
}

/// A group of which everything is known without asking the database.
struct Plan<'a> {
    last: Last<'a>,
    polls: BTreeMap<PollId, &'a Poll>,
}

impl<'a> Plan<'a> {
    /// `None`: something has to be looked up.
    fn of(group: &'a [Slip], heads: &Heads, now: UnixMillis) -> Option<Self> {
        let (mut last, mut polls) = (Last::new(), BTreeMap::<PollId, &Poll>::new());
        for (n, slip) in group.iter().enumerate() {
            let Slip::Answer(answer) = slip else {
                return None;
            };
            let asks = answer.once.is_some() || answer.link.is_some() || answer.issue.is_some();
            if !answer.is_new || asks || answer.place == Place::Elsewhere {
                return None;
            }
            let poll = &*answer.poll;
            let known = polls.entry(poll.id).or_insert(poll);
            if known.revision != poll.revision {
                return None;
            }
            let Vacant(place) = last.entry((poll.id, answer.voter)) else {
                return None;
            };
            place.insert(Waiting::of(n, answer));
        }
        let plain = |poll: &&Poll| {
            let soon = poll.closes_at.is_some_and(|at| at < now + CLOSES_SOON);
            heads.contains_key(&poll.id)
                && matches!(poll.phase(now), Phase::Open { .. })
                && !soon
                && !poll.has_details()
        };
        polls.values().all(plain).then_some(Self { last, polls })
    }

    /// `$4` to `$7` of [`GOOD`].
    fn expected(&self, heads: &Heads, slot: i64) -> [Value; 4] {
        let polls = self.polls.keys();
        let seqs = polls
            .clone()
            .map(|poll| heads.get(poll).map_or(0, |head| head.seq));
        let revisions = self.polls.values().map(|poll| poll.revision);
        [
            polls.map(|poll| poll.0).collect::<Vec<i64>>().into(),
            seqs.collect::<Vec<i64>>().into(),
            slot.into(),
            revisions.collect::<Vec<i64>>().into(),
        ]
    }
}
