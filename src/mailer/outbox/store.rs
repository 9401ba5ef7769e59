//! The table `outbox`.

use std::time::Duration;

use sea_orm::FromQueryResult;

use super::state::{Final, MailState};
use super::{Payload, Priority, fresh_message_id};
use crate::{
    app::App,
    config::InDoubt,
    db::{self, DbErr, WriteTxn},
    mailer::{
        held::Held,
        leases::{LeaseSql, good_until},
    },
    types::{OutboxId, UnixMillis},
};

/// How many mails a lane takes at once.
const TAKE: i64 = 10;
/// How long finished rows are kept for the queue page.
const KEPT: Duration = Duration::from_secs(30 * 24 * 3_600);

/// A mail that a lane has leased.
pub(super) struct Taken {
    pub(super) id: OutboxId,
    pub(super) fence: i64,
    pub(super) attempt: i64,
    pub(super) payload: String,
    pub(super) message_id: String,
    pub(super) expires: UnixMillis,
    /// A decoy is written like any other mail, but never sent.
    pub(super) decoy: bool,
    /// The heartbeat renews the lease until this is dropped.
    pub(super) held: Held,
}

/// How full the outbox is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromQueryResult)]
pub struct Depth {
    /// Mails that wait or are being sent.
    pub waiting: i64,
    /// When the oldest of them was enqueued.
    pub oldest: Option<UnixMillis>,
}

/// A mail to enqueue.
pub(super) struct New<'a> {
    pub(super) template: &'a str,
    pub(super) priority: Priority,
    pub(super) payload: &'a Payload,
    /// The sender's domain.
    pub(super) domain: &'a str,
    /// The keyed hash of a reader's address; `None` for editors.
    pub(super) addressee: Option<[u8; 32]>,
    pub(super) expires: UnixMillis,
}

pub(super) async fn insert(txn: &WriteTxn, app: &App, new: &New<'_>) -> Result<OutboxId, DbErr> {
    let now = app.clock.now();
    let sealed = new
        .payload
        .seal(app)
        .map_err(|e| DbErr::Json(e.to_string()))?;
    let id = db::find_value(
        &**txn,
        "INSERT INTO outbox (priority, template, payload, message_id, state, not_before_ms, expires_ms, created_ms, address_hash)
         VALUES ($1, $2, $3, $4, $8, $5, $6, $5, $7) RETURNING id",
        [
            (new.priority as i16).into(),
            new.template.into(),
            sealed.into(),
            fresh_message_id(app, new.domain).into(),
            now.0.into(),
            new.expires.0.into(),
            new.addressee.map(|hash| hash.to_vec()).into(),
            MailState::Waiting.code().into(),
        ],
    )
    .await?;
    txn.ring();
    id.ok_or(DbErr::RecordNotInserted)
}

/// Whether anything is due. Needs no write transaction, so that an idle system writes nothing.
pub(in crate::mailer) async fn any_due(app: &App) -> Result<bool, DbErr> {
    let over = LeaseSql::new(app, app.mailer.held_mails()).over("");
    let any = db::fetch_one(
        app.db.read(),
        format!(
            "SELECT 1 FROM outbox WHERE state = {} AND not_before_ms <= $1 AND {over} LIMIT 1",
            MailState::Waiting.code()
        ),
        [app.clock.now().0.into()],
    );
    Ok(any.await?.is_some())
}

/// A mail that was just leased.
#[derive(FromQueryResult)]
struct Leased {
    id: OutboxId,
    fence: i64,
    attempt: i64,
    payload: String,
    message_id: String,
    expires_ms: UnixMillis,
    priority: i16,
    created_ms: UnixMillis,
}

/// Leases the mails that are due, most urgent first.
pub(super) async fn take(app: &App) -> Result<Vec<Taken>, DbErr> {
    let now = app.clock.now();
    let txn = app.db.write_txn("outbox_lease").await?;
    let sql = LeaseSql::new(app, app.mailer.held_mails());
    let (over, until, lock) = (sql.over(""), sql.until(), sql.lock);
    let good = good_until(app);
    let rows: Vec<Leased> = db::find_all(
        &*txn,
        format!(
            "WITH due AS MATERIALIZED (SELECT id FROM outbox WHERE state = {} AND not_before_ms <= $1 AND {over}
               ORDER BY priority, not_before_ms, id LIMIT {TAKE} {lock})
             UPDATE outbox SET fence = fence + 1, lease_until_ms = {until}, worker = $2 FROM due WHERE outbox.id = due.id
             RETURNING outbox.id, fence, attempt, payload, message_id, expires_ms, priority, created_ms",
            MailState::Waiting.code()
        ),
        [now.0.into(), app.node.clone().into()],
    )
    .await?;
    let mut taken = Vec::with_capacity(rows.len());
    for row in rows {
        if app.mailer.held_mails().holds(row.id.0) {
            // As with batches: a lane of this process is still working on it.
            return Ok(Vec::new());
        }
        let mail = Taken {
            id: row.id,
            fence: row.fence,
            attempt: row.attempt,
            payload: row.payload,
            message_id: row.message_id,
            expires: row.expires_ms,
            decoy: row.expires_ms <= row.created_ms,
            held: app.mailer.held_mails().hold(row.id.0, row.fence, good),
        };
        taken.push((row.priority, mail));
    }
    txn.commit().await?;
    taken.sort_by_key(|(priority, mail)| (*priority, mail.id.0));
    Ok(taken.into_iter().map(|(_, mail)| mail).collect())
}

/// Marks a mail as about to be sent. `false`: another lane has it now.
pub(super) async fn intend(app: &App, mail: &Taken) -> Result<bool, DbErr> {
    let txn = app.db.write_txn("outbox_intent").await?;
    let done = db::run(
        &*txn,
        "UPDATE outbox SET state = $3, attempt = attempt + 1 WHERE id = $1 AND fence = $2 AND state = $4",
        [
            mail.id.0.into(),
            mail.fence.into(),
            MailState::Intent.code().into(),
            MailState::Waiting.code().into(),
        ],
    )
    .await?;
    txn.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// Whether the intent of a leased mail is on disk.
pub(super) async fn is_intended(app: &App, mail: &Taken) -> Result<bool, DbErr> {
    let sql = "SELECT 1 FROM outbox WHERE id = $1 AND fence = $2 AND state = $3";
    let intent = MailState::Intent.code();
    let values = [mail.id.0.into(), mail.fence.into(), intent.into()];
    let found = db::fetch_one(app.db.read(), sql, values).await?;
    Ok(found.is_some())
}

/// Writes the final state of a mail and erases its payload, unless it is in doubt.
pub(super) async fn finish(
    app: &App,
    mail: &Taken,
    state: Final,
    reply: &str,
) -> Result<(), DbErr> {
    let txn = app.db.write_txn("outbox_finish").await?;
    // An expired mail keeps the last reply, if there was one.
    let reply_sql = match state {
        Final::Expired => {
            "CASE WHEN reply = '' THEN CAST($4 AS TEXT) ELSE 'expired; last answer: ' || reply END"
        }
        _ => "$4",
    };
    // A mail in doubt keeps its payload: an editor may decide to send it again.
    let payload = if state == Final::Unknown {
        "payload"
    } else {
        "''"
    };
    db::run(
        &*txn,
        format!(
            "UPDATE outbox SET state = $3, payload = {payload}, reply = {reply_sql}, finished_ms = $5, lease_until_ms = 0
             WHERE id = $1 AND fence = $2"
        ),
        [
            mail.id.0.into(),
            mail.fence.into(),
            state.code().into(),
            reply.into(),
            app.clock.now().0.into(),
        ],
    )
    .await?;
    txn.commit().await
}

/// Puts a mail back, to be tried again at `at`.
pub(super) async fn put_back(
    app: &App,
    mail: &Taken,
    at: UnixMillis,
    attempt: i64,
    reply: &str,
) -> Result<(), DbErr> {
    let txn = app.db.write_txn("outbox_again").await?;
    db::run(
        &*txn,
        // Without a new reply, the last one is kept.
        "UPDATE outbox SET state = $6, not_before_ms = $3, attempt = $4, reply = COALESCE(NULLIF($5, ''), reply), lease_until_ms = 0
         WHERE id = $1 AND fence = $2",
        [
            mail.id.0.into(),
            mail.fence.into(),
            at.0.into(),
            attempt.into(),
            reply.into(),
            MailState::Waiting.code().into(),
        ],
    )
    .await?;
    txn.commit().await
}

/// Takes an intent back, because the mail was not sent. The lease is kept, and no attempt is spent.
pub(super) async fn take_back(app: &App, mail: &Taken) -> Result<(), DbErr> {
    let txn = app.db.write_txn("outbox_take_back").await?;
    db::run(
        &*txn,
        "UPDATE outbox SET state = $4, attempt = $3 WHERE id = $1 AND fence = $2 AND state = $5",
        [
            mail.id.0.into(),
            mail.fence.into(),
            mail.attempt.into(),
            MailState::Waiting.code().into(),
            MailState::Intent.code().into(),
        ],
    )
    .await?;
    txn.commit().await
}

/// Cleans up: mails with an intent whose lease is over, after a crash, are in doubt; mails that have become useless
/// expire.
pub(in crate::mailer) async fn tick(app: &App) -> Result<(), DbErr> {
    let now = app.clock.now();
    let [waiting, intent, unknown, expired] = [
        MailState::Waiting,
        MailState::Intent,
        MailState::Unknown,
        MailState::Expired,
    ]
    .map(MailState::code);
    let over = LeaseSql::new(app, app.mailer.held_mails()).over("");
    let any = db::fetch_one(
        app.db.read(),
        format!(
            "SELECT 1 FROM outbox WHERE (state = {intent} AND {over}) OR (state = {waiting} AND expires_ms <= $1) LIMIT 1"
        ),
        [now.0.into()],
    )
    .await?;
    if any.is_none() {
        return Ok(());
    }
    let doubtful = match app.config.mail.in_doubt {
        InDoubt::Resend => format!("state = {waiting}, not_before_ms = $1"),
        InDoubt::Hold => format!("state = {unknown}, finished_ms = $1"),
    };
    let txn = app.db.write_txn("outbox_tick").await?;
    let over = LeaseSql::new(app, app.mailer.held_mails()).over("");
    db::run(
        &*txn,
        format!(
            "UPDATE outbox SET {doubtful}, fence = fence + 1 WHERE state = {intent} AND {over}"
        ),
        [now.0.into()],
    )
    .await?;
    db::run(
        &*txn,
        format!(
            "UPDATE outbox SET state = {expired}, payload = '', finished_ms = $1,
               reply = CASE WHEN reply = '' THEN 'expired before it could be sent' ELSE 'expired; last answer: ' || reply END
             WHERE state = {waiting} AND expires_ms <= $1 AND {over}"
        ),
        [now.0.into()],
    )
    .await?;
    txn.commit().await
}

/// Deletes old finished mails, except those in doubt, and returns their number. No index supports the query, so call it
/// no more than once an hour.
pub async fn purge(app: &App) -> Result<u64, DbErr> {
    let old = format!(
        "DELETE FROM outbox WHERE {} AND finished_ms < $1",
        MailState::is_one_of(&[MailState::Sent, MailState::Failed, MailState::Expired])
    );
    let before = app.clock.now() - KEPT;
    app.db.purge("outbox_purge", &old, "id", before).await
}

/// How full the outbox is, for the queue page and the metrics.
pub async fn depth(app: &App) -> Result<Depth, DbErr> {
    let sql = format!(
        "SELECT COUNT(*) AS waiting, MIN(created_ms) AS oldest FROM outbox WHERE {}",
        MailState::is_one_of(&MailState::WAITING)
    );
    let depth = db::find_one(app.db.read(), sql, []).await?;
    Ok(depth.unwrap_or_default())
}
