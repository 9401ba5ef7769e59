//! Ballots grouped by their answers, with the same counts for all editors who look.
//!
//! Two views of a table that differ by one ballot reveal what one reader answered, however large the cells are. So a
//! count is kept until at least [`SMALLEST_CELL`] more (or fewer) ballots are there, which also keeps views cheap.
//! Every node uses the same count, also after a restart: a tick stores it within a second. Sealing deletes it; if the
//! final count differs by a few ballots, nothing is counted any more ([`NotCounted::Withheld`]).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::kept_store;
use super::store::{self, Alike};
use crate::db::{Db, DbErr};
use crate::polls::model::{Poll, Question, Tier};
use crate::polls::statistics::cells::SMALLEST_CELL;
use crate::types::{OptionId, PollId, UnixMillis};

/// The ballots of a poll at one moment, grouped by what they say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    pub alike: Vec<Alike>,
    /// The number of ballots.
    pub ballots: i64,
    pub at: UnixMillis,
    pub tier: Tier,
}

/// Why the ballots are not grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotCounted {
    TooManyKinds,
    /// The poll is sealed, and editors have seen a count that differs from the final one by a few ballots.
    Withheld,
}

impl NotCounted {
    /// For editors. `what` was to be done with the answers: "compared".
    pub fn told(self, what: &str) -> String {
        match self {
            Self::TooManyKinds => {
                format!("Readers answered in too many different ways to be {what} here.")
            }
            Self::Withheld => format!(
                "The answers can no longer be {what} here. When they were last counted for this page, a few were missing or \
                 were changed later. Tables of the final answers would reveal what these few readers said. The result \
                 has all of them."
            ),
        }
    }
}

impl Counted {
    /// Whether this count is still used for `poll` when it has so many `ballots`.
    pub(super) fn is_near(&self, ballots: i64, poll: &Poll) -> bool {
        (self.ballots - ballots).abs() < SMALLEST_CELL && self.tier == poll.headline_tier
    }

    /// The rarest answer to these questions, among those that anybody gave. Its number is in the public result as well.
    pub fn rarest<'a>(
        &self,
        questions: impl IntoIterator<Item = &'a Question>,
    ) -> Option<(&'a str, i64)> {
        let options = questions.into_iter().flat_map(|q| &q.options);
        options
            .map(|option| (option.label.as_str(), self.with(option.id)))
            .filter(|(_, n)| *n > 0)
            .min_by_key(|(_, n)| *n)
    }

    /// The number of ballots with `option`.
    #[must_use]
    pub fn with(&self, option: OptionId) -> i64 {
        self.alike
            .iter()
            .filter(|alike| alike.options.contains(&option))
            .map(|alike| alike.n)
            .sum()
    }
}

/// The counts in use, at most one for each poll.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    known: Arc<Mutex<HashMap<PollId, Known>>>,
    /// Only one count runs at a time: it reads every ballot.
    counting: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Debug, Clone)]
struct Known {
    counted: Arc<Counted>,
    /// Not stored yet: viewing writes nothing, the next tick does.
    unkept: bool,
}

/// The most polls whose counts are held in memory, in addition to those not stored yet.
const HELD: usize = 32;

impl Answers {
    /// The ballots that count in the result of `poll`, grouped by what they say. `voters` is their number according to
    /// the tally.
    pub async fn of(
        &self,
        db: &Db,
        poll: &Poll,
        voters: i64,
        now: UnixMillis,
    ) -> Result<Result<Arc<Counted>, NotCounted>, DbErr> {
        if poll.sealed_at.is_some() && kept_store::is_withheld(db, poll.id).await? {
            return Ok(Err(NotCounted::Withheld));
        }
        let is_near = |counted: &Counted| counted.is_near(voters, poll);
        let held = || self.held(poll.id).filter(|counted| is_near(counted));
        if let Some(counted) = held() {
            return Ok(Ok(counted));
        }
        let _turn = self.counting.lock().await;
        if let Some(counted) = held() {
            return Ok(Ok(counted));
        }
        // Another node may have counted, or this one before a restart.
        if let Some(kept) = kept_store::kept(db.read(), poll.id).await?.filter(is_near) {
            return Ok(Ok(self.hold(poll.id, kept, false)));
        }
        let (backend, id, tier) = (db.backend(), poll.id, poll.headline_tier);
        let alike = db
            .scanning(move |scan| async move { store::alike(&*scan, backend, id, tier).await })
            .await?;
        let Some(alike) = alike else {
            return Ok(Err(NotCounted::TooManyKinds));
        };
        let counted = Counted {
            ballots: alike.iter().map(|alike| alike.n).sum(),
            alike,
            at: now,
            tier,
        };
        // A sealed poll no longer changes, so its count need not be stored.
        let unkept = poll.sealed_at.is_none();
        Ok(Ok(self.hold(poll.id, counted, unkept)))
    }

    /// The tick: stores the counts made since the last one. If two nodes counted at the same time,
    /// the first one's count wins.
    ///
    /// # Errors
    /// A database error; counts that were not stored are stored by the next tick.
    pub async fn keep(&self, db: &Db) -> Result<(), DbErr> {
        for (poll, counted) in self.unkept() {
            let stands = match kept_store::keep(db, poll, &counted).await? {
                true => None,
                false => kept_store::kept(db.read(), poll).await?,
            };
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = known.get_mut(&poll)
                && Arc::ptr_eq(&known.counted, &counted)
            {
                known.unkept = false;
                if let Some(stands) = stands {
                    known.counted = Arc::new(stands);
                }
            }
        }
        Ok(())
    }

    fn held(&self, poll: PollId) -> Option<Arc<Counted>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&poll).map(|known| known.counted.clone())
    }

    fn hold(&self, poll: PollId, counted: Counted, unkept: bool) -> Arc<Counted> {
        let counted = Arc::new(counted);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = known.iter().filter(|(_, known)| !known.unkept);
        if kept.clone().count() >= HELD
            && let Some(oldest) = kept.min_by_key(|(_, k)| k.counted.at).map(|(id, _)| *id)
        {
            known.remove(&oldest);
        }
        let now = Known {
            counted: counted.clone(),
            unkept,
        };
        known.insert(poll, now);
        counted
    }

    fn unkept(&self) -> Vec<(PollId, Arc<Counted>)> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let unkept = known.iter().filter(|(_, known)| known.unkept);
        unkept
            .map(|(poll, known)| (*poll, known.counted.clone()))
            .collect()
    }
}
