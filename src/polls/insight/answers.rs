//! What ballots say together, kept in memory for all editors who look.
//!
//! Two looks at a table that differ by one ballot show what one reader answered, however large its cells are. So a count stands until
//! [`SMALLEST_CELL`] more (or fewer) ballots are there, and that also keeps looking from costing anything.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::store::{self, Alike};
use crate::db::{Db, DbErr};
use crate::polls::model::{Poll, Tier};
use crate::polls::statistics::cells::SMALLEST_CELL;
use crate::types::{OptionId, PollId, UnixMillis};

/// Ballots of a poll by what they say, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    pub alike: Vec<Alike>,
    /// Ballots in all.
    pub ballots: i64,
    pub at: UnixMillis,
    pub tier: Tier,
}

impl Counted {
    /// Ballots with `option` on them.
    #[must_use]
    pub fn with(&self, option: OptionId) -> i64 {
        self.alike
            .iter()
            .filter(|alike| alike.options.contains(&option))
            .map(|alike| alike.n)
            .sum()
    }
}

/// The counts in use, one for each poll.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    known: Arc<Mutex<HashMap<PollId, Arc<Counted>>>>,
    /// One count at a time: it reads every ballot.
    counting: Arc<tokio::sync::Mutex<()>>,
}

/// Polls whose counts are kept.
const KEPT: usize = 32;

impl Answers {
    /// The ballots of `poll` that its result counts, by what they say; `None` where they say too many different things. `voters`: how many there are by the tally.
    ///
    /// # Errors
    /// What the database said.
    pub async fn of(
        &self,
        db: &Db,
        poll: &Poll,
        voters: i64,
        now: UnixMillis,
    ) -> Result<Option<Arc<Counted>>, DbErr> {
        if let Some(counted) = self.fresh(poll, voters) {
            return Ok(Some(counted));
        }
        let _turn = self.counting.lock().await;
        if let Some(counted) = self.fresh(poll, voters) {
            return Ok(Some(counted));
        }
        let Some(alike) = store::alike(db, poll.id, poll.headline_tier).await? else {
            return Ok(None);
        };
        let counted = Arc::new(Counted {
            ballots: alike.iter().map(|alike| alike.n).sum(),
            alike,
            at: now,
            tier: poll.headline_tier,
        });
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT
            && let Some(oldest) = known.iter().min_by_key(|(_, c)| c.at).map(|(id, _)| *id)
        {
            known.remove(&oldest);
        }
        known.insert(poll.id, counted.clone());
        Ok(Some(counted))
    }

    fn fresh(&self, poll: &Poll, voters: i64) -> Option<Arc<Counted>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = known.get(&poll.id)?;
        let near = (counted.ballots - voters).abs() < SMALLEST_CELL;
        (near && counted.tier == poll.headline_tier).then(|| counted.clone())
    }
}
