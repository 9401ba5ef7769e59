//! What is left of a batch: recipients that are retried later or wait for a provider. They go into other batches, in
//! the commit that closes this one; small batches of the same kind are merged.

use std::collections::BTreeMap;
use std::sync::Arc;

use sea_orm::FromQueryResult;
use tokio::time::Instant;

use super::states::BatchState;
use crate::types::reader_list::{packed, unpacked};
use crate::{
    app::App,
    db::{self, Backend, DbErr, WriteTxn},
    mailer::domains::Group,
    types::{BatchId, IssueId, ReaderId, UnixMillis},
};

/// The most readers in one batch.
const LARGEST: usize = 500;
/// Retries may move by this much to share a batch.
const TOGETHER_MS: i64 = 60_000;

/// Readers whose next attempt is due at the same time.
#[derive(Clone, Debug)]
pub(super) struct Rest {
    pub(super) readers: Vec<ReaderId>,
    pub(super) at: UnixMillis,
    /// The number of their next attempt; still that of the batch if no attempt was spent.
    pub(super) attempt: i64,
    /// The provider they wait for; empty: none.
    pub(super) provider: String,
}

/// Readers of the current batch whose providers have no room, by provider.
#[derive(Debug, Default)]
pub(super) struct Aside(BTreeMap<String, (Instant, Vec<ReaderId>)>);

impl Aside {
    pub(super) fn add(&mut self, group: &Arc<Group>, reader: ReaderId, until: Instant) {
        if let Some((last, readers)) = self.0.get_mut(group.name()) {
            *last = until.max(*last);
            readers.push(reader);
        } else {
            let name = group.name().to_owned();
            self.0.insert(name, (until, vec![reader]));
        }
    }

    /// The batches in which they wait. They have spent no attempt.
    pub(super) fn rests(&mut self, app: &App, attempt: i64) -> impl Iterator<Item = Rest> {
        let (now, at) = (Instant::now(), app.clock.now());
        let aside = std::mem::take(&mut self.0).into_iter();
        aside.map(move |(provider, (until, readers))| Rest {
            readers,
            at: at + until.saturating_duration_since(now),
            attempt,
            provider,
        })
    }
}

/// Puts the readers into a batch. `attempt` belongs to the batch that they come from.
pub(super) async fn put(
    txn: &WriteTxn,
    backend: Backend,
    issue: IssueId,
    attempt: i64,
    rest: &Rest,
) -> Result<(), DbErr> {
    let mut readers = rest.readers.clone();
    // A batch that is locked is being worked on: then these readers get a batch of their own.
    let lock = match backend {
        Backend::Postgres => "FOR UPDATE SKIP LOCKED",
        Backend::Sqlite => "",
    };
    let together = if rest.provider.is_empty() {
        TOGETHER_MS
    } else {
        i64::MAX / 4
    };
    #[derive(FromQueryResult)]
    struct Waiting {
        id: BatchId,
        readers: Vec<u8>,
    }
    let found: Option<Waiting> = db::find_one(
        &**txn,
        format!(
            "SELECT id, readers FROM mail_batch WHERE issue_id = $1 AND state = {} AND provider = $2 AND attempt = $3
             AND not_before_ms BETWEEN $4 AND $5 ORDER BY id DESC LIMIT 1 {lock}",
            BatchState::Waiting.code()
        ),
        [
            issue.0.into(),
            rest.provider.clone().into(),
            rest.attempt.into(),
            (rest.at.0 - together).into(),
            (rest.at.0 + together).into(),
        ],
    )
    .await?;
    let mut into = None;
    if let Some(found) = found {
        let others = unpacked(&found.readers);
        if others.len() + readers.len() <= LARGEST {
            into = Some(found.id);
            readers.extend(others);
        }
    }
    readers.sort_unstable();
    readers.dedup();
    let ends = |reader: Option<&ReaderId>| reader.map_or(0, |r| r.0);
    let (lo, hi) = (ends(readers.first()), ends(readers.last()));
    if let Some(id) = into {
        let sql = "UPDATE mail_batch SET lo = $2, hi = $3, readers = $4, not_before_ms = $5 WHERE id = $1";
        let values = [
            id.into(),
            lo.into(),
            hi.into(),
            packed(&readers).into(),
            rest.at.0.into(),
        ];
        return db::run(&**txn, sql, values).await.map(drop);
    }
    // A batch of a first attempt with its first fence is assumed to have no rows in the ledger. This one may have some,
    // so its fence begins at 1.
    let fence = i64::from(rest.attempt == attempt);
    db::run(
        &**txn,
        "INSERT INTO mail_batch (issue_id, lo, hi, readers, state, attempt, not_before_ms, provider, fence)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [
            issue.0.into(),
            lo.into(),
            hi.into(),
            packed(&readers).into(),
            BatchState::Waiting.code().into(),
            rest.attempt.into(),
            rest.at.0.into(),
            rest.provider.clone().into(),
            fence.into(),
        ],
    )
    .await
    .map(drop)
}
