//! Leases a batch and finds out what is still to do in it (`sorting`), by the same rules for each recipient (`decide`).

mod decide;
mod sorting;

use std::sync::Arc;

use sea_orm::FromQueryResult;

pub(super) use self::decide::InLedger;
pub(super) use self::sorting::in_ledger;

use super::fair_queue::{self, Due, Turn};
use super::ledger::Deferred;
use super::states::{BatchState, DeliveryState, Reason};
use crate::types::reader_list::unpacked;
use crate::{
    app::App,
    config::crash_point,
    db::{self, DbErr},
    mailer::{
        domains::Group,
        held::Held,
        leases::{LeaseSql, good_until},
        mime::Edition,
    },
    types::{BatchId, IssueId, NewsletterId, ReaderId, UnixMillis},
};

/// How often giving back a batch that could not be read is attempted.
const TRIES: usize = 10;
/// How long the rows read of a batch's readers may be used. This bounds how long a reader who has left, complained or
/// been erased may still be mailed.
const FRESH_MS: i64 = 30_000;

/// A batch that this node has leased.
pub(in crate::mailer) struct Holding {
    pub(super) batch: BatchId,
    pub(super) issue: IssueId,
    pub(super) fence: i64,
    pub(super) attempt: i64,
    /// When reading its readers began.
    read_at: UnixMillis,
    /// Deferred recipients are not given up before this time; see [`Work::expires`].
    pub(super) expires: UnixMillis,
    pub(super) edition: Arc<Edition>,
    /// The recipients who are to get the mail.
    pub(super) work: Vec<Work>,
    /// The recipients who are not to get it, and why.
    pub(super) settled: Vec<Settled>,
    /// Recipients of this attempt that were deferred before a crash or pause: they go into the retry batch.
    pub(super) deferred: Vec<ReaderId>,
    /// The provider that the whole batch waits for; empty: readers of any provider.
    pub(super) provider: String,
    /// Counts a lane of this process for the issue until it is dropped.
    pub(super) _turn: Turn,
    /// The heartbeat renews the lease until this is dropped.
    pub(super) held: Held,
}

/// A recipient to send to.
pub(super) struct Work {
    pub(super) reader: ReaderId,
    pub(super) address: String,
    pub(super) key: String,
    /// The provider group whose limits apply.
    pub(super) group: Arc<Group>,
    pub(super) name: String,
    pub(super) was_deferred: bool,
    /// The ledger's entry of an earlier attempt.
    pub(super) before: Option<Deferred>,
    /// It is unknown whether an earlier mail has arrived.
    pub(super) in_doubt: bool,
    /// If a retry would come after this time, the mail is given up.
    pub(super) expires: UnixMillis,
    pub(super) crashes: i16,
}

/// A recipient that is not sent to.
pub(super) struct Settled {
    pub(super) reader: ReaderId,
    pub(super) was_deferred: bool,
    pub(super) state: DeliveryState,
    pub(super) reason: Reason,
}

/// A batch that was just leased.
#[derive(FromQueryResult)]
struct Leased {
    id: BatchId,
    fence: i64,
    attempt: i64,
    readers: Vec<u8>,
}

/// Leases the next due batch of the issue whose turn it is.
pub(in crate::mailer) async fn lease(app: &App) -> Result<Option<Holding>, DbErr> {
    fair_queue::look(app).await?;
    let now = app.clock.now();
    for due in app.mailer.fair_queue.order(app) {
        if let Some(holding) = take(app, &due, now).await? {
            return Ok(Some(holding));
        }
    }
    Ok(None)
}

/// What the mailing of a batch says about it.
#[derive(FromQueryResult)]
struct Mailing {
    newsletter_id: NewsletterId,
    expires_ms: UnixMillis,
}

async fn take(app: &App, due: &Due, now: UnixMillis) -> Result<Option<Holding>, DbErr> {
    let Some((leased, held)) = claim(app, due, now).await? else {
        return Ok(None);
    };
    crash_point("lease_taken");
    let (batch, fence) = (leased.id, leased.fence);
    let read = read(app, due, leased, held, now).await;
    if read.is_err() {
        give_back(app, batch, fence).await;
    }
    read.map(Some)
}

/// Leases the first free batch; the first one of a mailing starts it. `None`: no batch is free, or a lane of this
/// process still holds it.
async fn claim(app: &App, due: &Due, now: UnixMillis) -> Result<Option<(Leased, Held)>, DbErr> {
    let txn = app.db.write_txn("lease").await?;
    let sql = LeaseSql::new(app, app.mailer.held_batches());
    let (over, until, lock) = (sql.over(""), sql.until(), sql.lock);
    let good = good_until(app);
    let (waiting, leased) = (BatchState::Waiting.code(), BatchState::Leased.code());
    let batch: Option<Leased> = db::find_one(
        &*txn,
        format!(
            "WITH due AS MATERIALIZED (SELECT id FROM mail_batch WHERE issue_id = $1 AND provider = $4 AND
               ((state = {waiting} AND not_before_ms <= $2) OR (state = {leased} AND {over}))
               ORDER BY id LIMIT 1 {lock})
             UPDATE mail_batch SET state = {leased}, fence = fence + 1,
               worker = $3, lease_until_ms = {until} FROM due WHERE mail_batch.id = due.id
             RETURNING mail_batch.id, fence, attempt, readers"
        ),
        [
            due.issue.into(),
            now.into(),
            app.node.clone().into(),
            due.provider.clone().into(),
        ],
    )
    .await?;
    let Some(batch) = batch else {
        return Ok(None);
    };
    if app.mailer.held_batches().holds(batch.id.0) {
        // The database was unavailable for longer than a lease, and a lane of this process is still working on the
        // batch: the next heartbeat renews the leases that no other node took.
        return Ok(None);
    }
    let held = app
        .mailer
        .held_batches()
        .hold(batch.id.0, batch.fence, good);
    db::run(
        &*txn,
        "UPDATE mailing SET started_ms = $2 WHERE issue_id = $1 AND started_ms IS NULL",
        [due.issue.into(), now.into()],
    )
    .await?;
    txn.commit().await?;
    Ok(Some((batch, held)))
}

/// Reads what is to be done for a leased batch.
async fn read(
    app: &App,
    due: &Due,
    batch: Leased,
    held: Held,
    now: UnixMillis,
) -> Result<Holding, DbErr> {
    let readers = unpacked(&batch.readers);
    let mailing: Option<Mailing> = db::find_one(
        app.db.read(),
        "SELECT newsletter_id, expires_ms FROM mailing WHERE issue_id = $1",
        [due.issue.into()],
    )
    .await?;
    let mailing =
        mailing.ok_or_else(|| DbErr::RecordNotFound("a batch without its mailing".into()))?;
    let mut holding = Holding {
        batch: batch.id,
        issue: due.issue,
        fence: batch.fence,
        attempt: batch.attempt,
        read_at: app.clock.now(),
        expires: mailing.expires_ms,
        edition: edition(app, due.issue).await?,
        work: Vec::with_capacity(readers.len()),
        settled: Vec::new(),
        deferred: Vec::new(),
        provider: due.provider.clone(),
        _turn: app.mailer.fair_queue.begin(due.issue),
        held,
    };
    holding
        .read(app, mailing.newsletter_id, &readers, now)
        .await?;
    Ok(holding)
}

/// Frees a batch that could not be read. If that fails as well, the batch is free when its lease runs out.
async fn give_back(app: &App, batch: BatchId, fence: i64) {
    for _ in 0..TRIES {
        let given = async {
            let txn = app.db.write_txn("lease_give_back").await?;
            let sql = "UPDATE mail_batch SET state = $3, lease_until_ms = 0, worker = ''
                       WHERE id = $1 AND fence = $2 AND state = $4";
            let [waiting, leased] = [BatchState::Waiting, BatchState::Leased].map(BatchState::code);
            let values = [batch.0.into(), fence.into(), waiting.into(), leased.into()];
            db::run(&*txn, sql, values).await?;
            txn.commit().await
        };
        match given.await {
            // The pool may hold several connections that were closed at the same time.
            Err(error) if db::connection_lost(&error) => {}
            _ => return,
        }
    }
}

impl Holding {
    /// The issue that the batch belongs to.
    pub(in crate::mailer) fn issue(&self) -> IssueId {
        self.issue
    }

    /// Whether the issue's own time is over. From then on every delay counts as an attempt.
    pub(super) fn is_late(&self, now: UnixMillis) -> bool {
        now > self.expires
    }

    /// Whether its readers must be read again. The lane then gives the rest of the batch back and drops their
    /// addresses.
    pub(super) fn is_stale(&self, now: UnixMillis) -> bool {
        // If the clock has jumped back, the age is unknown.
        !(0..FRESH_MS).contains(&(now.0 - self.read_at.0))
    }
}

/// The compiled mail, from the cache: every batch of an issue needs the same one.
pub(super) async fn edition(app: &App, issue: IssueId) -> Result<Arc<Edition>, DbErr> {
    if let Some(edition) = app.mailer.edition(issue) {
        return Ok(edition);
    }
    let sql = "SELECT edition FROM mailing WHERE issue_id = $1";
    let stored: Option<Vec<u8>> = db::find_value(app.db.read(), sql, [issue.0.into()]).await?;
    let stored =
        stored.ok_or_else(|| DbErr::RecordNotFound("a batch without its mailing".into()))?;
    let edition = serde_json::from_slice(&stored).map_err(|e| DbErr::Json(e.to_string()))?;
    Ok(app.mailer.keep_edition(issue, Arc::new(edition)))
}
