//! What is left of a batch: recipients that are retried later or wait for a provider. They go into other batches, in
//! the commit that closes this one; small batches of the same kind are merged.

use std::collections::BTreeMap;
use std::sync::Arc;

use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait as _, EntityTrait as _, FromQueryResult, QueryFilter as _};
use tokio::time::Instant;

use super::states::BatchState;
use crate::types::reader_list::{packed, unpacked};
use crate::{
    app::App,
    db::entities::mail_batch,
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
    let mut into = None;
    if let Some(found) = similar(txn, backend, issue, rest).await? {
        let others = unpacked(&found.readers);
        if others.len() + readers.len() <= LARGEST {
            into = Some(found.id);
            readers.extend(others);
        }
    }
    readers.sort_unstable();
    readers.dedup();
    let end = |reader: Option<&ReaderId>| reader.map_or(0, |r| r.0);
    let batch = mail_batch::ActiveModel {
        lo: Set(end(readers.first())),
        hi: Set(end(readers.last())),
        readers: Set(packed(&readers)),
        not_before_ms: Set(rest.at),
        ..Default::default()
    };
    if let Some(id) = into {
        return mail_batch::Entity::update_many()
            .set(batch)
            .filter(mail_batch::Column::Id.eq(id))
            .exec(&**txn)
            .await
            .map(drop);
    }
    let batch = mail_batch::ActiveModel {
        issue_id: Set(issue),
        state: Set(BatchState::Waiting.code()),
        attempt: Set(rest.attempt),
        provider: Set(rest.provider.clone()),
        // A batch of a first attempt with its first fence is assumed to have no rows in the ledger. This one may have
        // some, so its fence begins at 1.
        fence: Set(i64::from(rest.attempt == attempt)),
        ..batch
    };
    mail_batch::Entity::insert(batch)
        .exec_without_returning(&**txn)
        .await
        .map(drop)
}

/// A waiting batch of the same kind, which the readers may join.
#[derive(FromQueryResult)]
struct Similar {
    id: BatchId,
    readers: Vec<u8>,
}

async fn similar(
    txn: &WriteTxn,
    backend: Backend,
    issue: IssueId,
    rest: &Rest,
) -> Result<Option<Similar>, DbErr> {
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
    let sql = format!(
        "SELECT id, readers FROM mail_batch WHERE issue_id = $1 AND state = {} AND provider = $2 AND attempt = $3
         AND not_before_ms BETWEEN $4 AND $5 ORDER BY id DESC LIMIT 1 {lock}",
        BatchState::Waiting.code()
    );
    let values = [
        issue.into(),
        rest.provider.clone().into(),
        rest.attempt.into(),
        (rest.at.0 - together).into(),
        (rest.at.0 + together).into(),
    ];
    db::find_one(&**txn, sql, values).await
}
