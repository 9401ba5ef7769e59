//! Taking a batch, and reading what is still to do in it (`sorting`), each recipient by the same rules (`decide`).

mod decide;
mod sorting;

use std::sync::Arc;

pub(super) use self::sorting::in_ledger;

use super::ledger::Deferred;
use super::states::{DeliveryState, Reason};
use super::turns::{self, Due, Turn};
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

/// How often a batch that could not be read is tried to be given back.
const TRIES: usize = 10;
/// What was read of the readers is good for so long: who left, complained or was erased since is not mailed for longer.
const FRESH_MS: i64 = 30_000;

/// A batch this node holds.
pub(in crate::mailer) struct Holding {
    pub(super) batch: BatchId,
    pub(super) issue: IssueId,
    pub(super) fence: i64,
    pub(super) attempt: i64,
    /// When its readers were begun to be read.
    read_at: UnixMillis,
    /// Who is deferred is not given up before; see [`Work::expires`].
    pub(super) expires: UnixMillis,
    pub(super) edition: Arc<Edition>,
    /// Who is to get the mail.
    pub(super) work: Vec<Work>,
    /// Who is not, and why.
    pub(super) settled: Vec<Settled>,
    /// Recipients of this attempt that were deferred before a crash or pause: they go into the retry batch.
    pub(super) deferred: Vec<ReaderId>,
    /// The provider all of it waits for; empty: readers of all kinds.
    pub(super) provider: String,
    /// While it lives, a lane of this process is counted for the issue.
    pub(super) _turn: Turn,
    /// While it lives, the heartbeat renews the lease.
    pub(super) held: Held,
}

/// A recipient to send to.
pub(super) struct Work {
    pub(super) reader: ReaderId,
    pub(super) address: String,
    pub(super) key: String,
    /// Whose limits it is under.
    pub(super) group: Arc<Group>,
    pub(super) name: String,
    pub(super) was_deferred: bool,
    /// What the ledger says of an earlier attempt.
    pub(super) before: Option<Deferred>,
    /// An earlier mail may have arrived: nobody knows.
    pub(super) in_doubt: bool,
    /// Deferred until after this, it is given up.
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

/// Takes the next due batch, of the issue whose turn it is.
pub(in crate::mailer) async fn lease(app: &App) -> Result<Option<Holding>, DbErr> {
    turns::look(app).await?;
    let now = app.clock.now();
    for due in app.mailer.turns.order(app) {
        if let Some(holding) = take(app, &due, now).await? {
            return Ok(Some(holding));
        }
    }
    Ok(None)
}

async fn take(app: &App, due: &Due, now: UnixMillis) -> Result<Option<Holding>, DbErr> {
    let issue = due.issue;
    let txn = app.db.write_txn("lease").await?;
    let sql = LeaseSql::new(app, app.mailer.held_batches());
    let (over, until, lock) = (sql.over(""), sql.until(), sql.lock);
    let good = good_until(app);
    let row = db::fetch_one(
        &*txn,
        format!(
            "WITH due AS MATERIALIZED (SELECT id FROM mail_batch WHERE issue_id = $1 AND provider = $4 AND
               ((state = 0 AND not_before_ms <= $2) OR (state = 1 AND {over}))
               ORDER BY id LIMIT 1 {lock})
             UPDATE mail_batch SET state = 1, fence = fence + 1,
               worker = $3, lease_until_ms = {until} FROM due WHERE mail_batch.id = due.id
             RETURNING mail_batch.id, fence, attempt, readers"
        ),
        [
            issue.0.into(),
            now.0.into(),
            app.node.clone().into(),
            due.provider.clone().into(),
        ],
    )
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let (batch, fence, attempt) = (
        BatchId(row.try_get_by_index(0)?),
        row.try_get_by_index(1)?,
        row.try_get_by_index(2)?,
    );
    if app.mailer.held_batches().holds(batch.0) {
        // The database was away for longer than a lease, and a lane of this process is still at it: the next heartbeat
        // renews what nobody else took.
        return Ok(None);
    }
    let held = app.mailer.held_batches().hold(batch.0, fence, good);
    db::run(
        &*txn,
        "UPDATE mailing SET started_ms = $2 WHERE issue_id = $1 AND started_ms IS NULL",
        [issue.0.into(), now.0.into()],
    )
    .await?;
    txn.commit().await?;
    crash_point("lease_taken");

    let reading = async {
        let readers = unpacked(&row.try_get_by_index::<Vec<u8>>(3)?);
        let mailing = db::fetch_one(
            app.db.read(),
            "SELECT newsletter_id, expires_ms FROM mailing WHERE issue_id = $1",
            [issue.0.into()],
        )
        .await?
        .ok_or_else(|| DbErr::RecordNotFound("a batch without its mailing".into()))?;
        let mut holding = Holding {
            batch,
            issue,
            fence,
            attempt,
            read_at: app.clock.now(),
            expires: UnixMillis(mailing.try_get_by_index(1)?),
            edition: edition(app, issue).await?,
            work: Vec::with_capacity(readers.len()),
            settled: Vec::new(),
            deferred: Vec::new(),
            provider: due.provider.clone(),
            _turn: app.mailer.turns.begin(issue),
            held,
        };
        let newsletter = NewsletterId(mailing.try_get_by_index(0)?);
        holding.read(app, newsletter, &readers, now).await?;
        Ok(Some(holding))
    };
    let read = reading.await;
    if read.is_err() {
        give_back(app, batch, fence).await;
    }
    read
}

/// A batch that could not be read is free again; if that cannot be written either, when its lease has run out.
async fn give_back(app: &App, batch: BatchId, fence: i64) {
    for _ in 0..TRIES {
        let given = async {
            let txn = app.db.write_txn("lease_give_back").await?;
            let sql = "UPDATE mail_batch SET state = 0, lease_until_ms = 0, worker = ''
                       WHERE id = $1 AND fence = $2 AND state = 1";
            db::run(&*txn, sql, [batch.0.into(), fence.into()]).await?;
            txn.commit().await
        };
        match given.await {
            // A pool may hold several connections that were ended together.
            Err(error) if db::connection_lost(&error) => {}
            _ => return,
        }
    }
}

impl Holding {
    /// Whose batch it is.
    pub(in crate::mailer) fn issue(&self) -> IssueId {
        self.issue
    }

    /// Whether the issue's own time is over: then nobody waits any longer without an attempt spent.
    pub(super) fn is_late(&self, now: UnixMillis) -> bool {
        now > self.expires
    }

    /// Whether its readers have to be read again: by giving the rest back, whose addresses are forgotten with it.
    pub(super) fn is_stale(&self, now: UnixMillis) -> bool {
        // After a jump of the clock nobody knows how old it is.
        !(0..FRESH_MS).contains(&(now.0 - self.read_at.0))
    }
}

/// The compiled mail; kept, since every batch of an issue needs the same.
pub(super) async fn edition(app: &App, issue: IssueId) -> Result<Arc<Edition>, DbErr> {
    if let Some(edition) = app.mailer.edition(issue) {
        return Ok(edition);
    }
    let row = db::fetch_one(
        app.db.read(),
        "SELECT edition FROM mailing WHERE issue_id = $1",
        [issue.0.into()],
    )
    .await?
    .ok_or_else(|| DbErr::RecordNotFound("a batch without its mailing".into()))?;
    let stored: Vec<u8> = row.try_get_by_index(0)?;
    let edition = serde_json::from_slice(&stored).map_err(|e| DbErr::Json(e.to_string()))?;
    Ok(app.mailer.keep_edition(issue, Arc::new(edition)))
}
