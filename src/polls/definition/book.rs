//! Definitions of polls in memory, so that an answer needs no read.
//!
//! A definition is at most one second behind the database (another node may have edited the poll), and is reread at
//! once after an edit on this node. The ballot box compares the revision at the commit, so an answer to an outdated
//! definition is never counted.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use super::store;
use crate::db::{Db, DbErr};
use crate::polls::model::Poll;
use crate::types::{Clock, UnixMillis};

/// How long a definition is used before it is reread.
const FRESH: Duration = Duration::from_secs(1);

/// The definitions in use.
#[derive(Debug)]
pub struct Book {
    db: Db,
    clock: Clock,
    known: RwLock<HashMap<String, Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    poll: Arc<Poll>,
    read_at: UnixMillis,
}

impl Book {
    pub fn new(db: Db, clock: Clock) -> Self {
        Self {
            db,
            clock,
            known: RwLock::default(),
        }
    }

    /// The poll with this slug, drafts included.
    pub async fn poll(&self, slug: &str) -> Result<Option<Arc<Poll>>, DbErr> {
        let now = self.clock.now();
        let known = self
            .known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(slug)
            .cloned();
        if let Some(known) = known {
            // After the clock was set back, the definition counts as stale rather than fresh for ever.
            if known.read_at <= now && now.since(known.read_at) < FRESH {
                return Ok(Some(known.poll));
            }
        }
        // Boxed, so that the many calls that find it do not reserve space for reading it.
        Box::pin(self.reread(slug)).await
    }

    /// Forgets definitions that were not used lately: another node may have destroyed a poll's secret, and this
    /// process must not keep it.
    pub fn forget_stale(&self) {
        let now = self.clock.now();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, known| known.read_at <= now && now.since(known.read_at) < FRESH);
    }

    /// Rereads a definition: after an edit, or when the ballot box found it outdated. Unknown slugs are not cached, so
    /// that requests for nonsense cannot fill the memory.
    pub async fn reread(&self, slug: &str) -> Result<Option<Arc<Poll>>, DbErr> {
        let read_at = self.clock.now();
        let poll = store::by_slug(&self.db, slug).await?.map(Arc::new);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match &poll {
            Some(poll) => known.insert(
                slug.to_owned(),
                Known {
                    poll: poll.clone(),
                    read_at,
                },
            ),
            None => known.remove(slug),
        };
        Ok(poll)
    }
}
