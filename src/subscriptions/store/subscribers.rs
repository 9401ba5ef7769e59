//! Readers, their subscriptions, and the evidence of their consent.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait as _, ConnectionTrait, EntityTrait as _, FromQueryResult,
    QueryFilter as _, UpdateMany,
};

use super::requests::Request;
use crate::db::entities::{consent, reader, subscription, suppression};
use crate::db::{Backend, DbErr, WriteTxn, fetch_one, find_all, find_one, find_value, run};
use crate::subscriptions::model::{State, Subscribed, Suppression};
use crate::types::{NewsletterId, ReaderId, UnixMillis};

/// A reader as they see themselves.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Reader {
    pub id: ReaderId,
    pub email: String,
    pub name: String,
    pub time_zone: Option<String>,
}

/// The reader, unless erased.
pub async fn reader<C: ConnectionTrait>(db: &C, id: ReaderId) -> Result<Option<Reader>, DbErr> {
    let sql = "SELECT id, email, name, time_zone FROM reader WHERE id = $1 AND erased_ms IS NULL";
    find_one(db, sql, [id.into()]).await
}

/// The reader, unless erased. Locks the row, so that the reader is not erased before `txn` ends.
pub async fn reader_held(
    txn: &WriteTxn,
    backend: Backend,
    id: ReaderId,
) -> Result<Option<Reader>, DbErr> {
    if backend == Backend::Postgres {
        let sql = "SELECT 1 FROM reader WHERE id = $1 FOR SHARE";
        fetch_one(&**txn, sql, [id.0.into()]).await?;
    }
    reader(&**txn, id).await
}

/// Locks a reader's row until `txn` ends: before anything is written about the reader or the address, so that no two
/// transactions wait for each other. On SQLite there is only one writer anyway.
pub async fn hold(txn: &WriteTxn, backend: Backend, id: ReaderId) -> Result<(), DbErr> {
    if backend == Backend::Postgres {
        let sql = "SELECT 1 FROM reader WHERE id = $1 FOR UPDATE";
        fetch_one(&**txn, sql, [id.0.into()]).await?;
    }
    Ok(())
}

/// Finds or inserts the reader of a confirmed request. If the request has a name, it replaces the stored one.
pub async fn enter(
    txn: &WriteTxn,
    email_key: &str,
    request: &Request,
    now: UnixMillis,
) -> Result<ReaderId, DbErr> {
    let id = find_value(
        &**txn,
        "INSERT INTO reader (email_key, email, name, created_ms) VALUES ($1, $2, $3, $4)
         ON CONFLICT (email_key) DO UPDATE SET
             email = excluded.email,
             name = CASE WHEN excluded.name = '' THEN reader.name ELSE excluded.name END
         RETURNING id",
        [
            email_key.into(),
            request.email.clone().into(),
            request.name.clone().into(),
            now.0.into(),
        ],
    )
    .await?;
    id.ok_or(DbErr::RecordNotInserted)
}

/// The reader with this address.
pub async fn by_address<C: ConnectionTrait>(
    db: &C,
    email_key: &str,
) -> Result<Option<ReaderId>, DbErr> {
    let sql = "SELECT id FROM reader WHERE email_key = $1 AND erased_ms IS NULL";
    find_value(db, sql, [email_key.into()]).await
}

/// A reader and the key of their address.
#[derive(Debug, Clone, FromQueryResult)]
pub struct AddressKey {
    pub id: ReaderId,
    pub email_key: String,
}

/// The address keys of the readers after `after`, by id, without those who were erased.
pub async fn keys_after<C: ConnectionTrait>(
    db: &C,
    after: ReaderId,
    limit: usize,
) -> Result<Vec<AddressKey>, DbErr> {
    let sql = format!(
        "SELECT id, email_key FROM reader WHERE id > $1 AND erased_ms IS NULL ORDER BY id LIMIT {limit}"
    );
    find_all(db, sql, [after.into()]).await
}

/// Makes the subscription active, whatever its state, and stores the evidence of its request.
pub async fn subscribe(
    txn: &WriteTxn,
    reader: ReaderId,
    request: &Request,
    now: UnixMillis,
) -> Result<(), DbErr> {
    run(
        &**txn,
        "INSERT INTO subscription (newsletter_id, reader_id, state, confirmed_ms, changed_ms, reason)
         VALUES ($1, $2, $3, $4, $4, 'confirmed')
         ON CONFLICT (newsletter_id, reader_id) DO UPDATE SET
             state = excluded.state, confirmed_ms = excluded.confirmed_ms, changed_ms = excluded.changed_ms, reason = excluded.reason",
        [request.newsletter.0.into(), reader.0.into(), State::Active.code().into(), now.0.into()],
    )
    .await?;
    let consent = consent::ActiveModel {
        reader_id: Set(reader),
        newsletter_id: Set(request.newsletter),
        consent_text_id: Set(request.consent_text),
        page: Set(request.page.clone()),
        source: Set(request.source.clone()),
        requested_ms: Set(request.asked),
        confirmed_ms: Set(now),
        ..<consent::ActiveModel as Default>::default()
    };
    consent.insert(&**txn).await.map(drop)
}

/// The state of a subscription, and since when.
#[derive(Debug, Clone, Copy, FromQueryResult)]
pub struct Changed {
    /// The code of a [`State`].
    pub state: i16,
    #[sea_orm(from_alias = "changed_ms")]
    pub at: UnixMillis,
}

impl Changed {
    /// Whether the subscription is in this state.
    pub fn is(self, state: State) -> bool {
        self.state == state.code()
    }
}

/// The state of a subscription, and since when.
pub async fn state<C: ConnectionTrait>(
    db: &C,
    newsletter: NewsletterId,
    reader: ReaderId,
) -> Result<Option<Changed>, DbErr> {
    let sql =
        "SELECT state, changed_ms FROM subscription WHERE newsletter_id = $1 AND reader_id = $2";
    find_one(db, sql, [newsletter.into(), reader.into()]).await
}

/// Whether the reader exists and has an active subscription.
pub async fn is_active<C: ConnectionTrait>(
    db: &C,
    newsletter: NewsletterId,
    reader: Option<ReaderId>,
) -> Result<bool, DbErr> {
    let Some(reader) = reader else {
        return Ok(false);
    };
    let state = state(db, newsletter, reader).await?;
    Ok(state.is_some_and(|changed| changed.is(State::Active)))
}

/// All subscriptions of the reader, active or not.
pub async fn of_reader<C: ConnectionTrait>(
    db: &C,
    reader: ReaderId,
) -> Result<Vec<Subscribed>, DbErr> {
    #[derive(FromQueryResult)]
    struct Row {
        id: NewsletterId,
        slug: String,
        name: String,
        description: String,
        state: i16,
        changed_ms: UnixMillis,
    }
    let rows: Vec<Row> = find_all(
        db,
        "SELECT n.id, n.slug, n.name, n.description, s.state, s.changed_ms
         FROM subscription s JOIN newsletter n ON n.id = s.newsletter_id
         WHERE s.reader_id = $1 ORDER BY n.name, n.id",
        [reader.into()],
    )
    .await?;
    let subscribed = |row: Row| Subscribed {
        newsletter: row.id,
        slug: row.slug,
        name: row.name,
        description: row.description,
        state: row.state,
        changed: row.changed_ms,
    };
    Ok(rows.into_iter().map(subscribed).collect())
}

/// A change of subscriptions to another state; the caller adds which ones.
fn changed(to: State, why: &str, now: UnixMillis) -> UpdateMany<subscription::Entity> {
    subscription::Entity::update_many()
        .col_expr(subscription::Column::State, Expr::value(to.code()))
        .col_expr(subscription::Column::ChangedMs, Expr::value(now))
        .col_expr(subscription::Column::Reason, Expr::value(why))
}

/// Ends an active subscription by the reader's wish and withdraws the consent; false if it was not active.
pub async fn leave(
    txn: &WriteTxn,
    newsletter: NewsletterId,
    reader: ReaderId,
    how: &str,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    let done = changed(State::Left, how, now)
        .filter(subscription::Column::NewsletterId.eq(newsletter))
        .filter(subscription::Column::ReaderId.eq(reader))
        .filter(subscription::Column::State.eq(State::Active.code()))
        .exec(&**txn)
        .await?;
    if done.rows_affected == 0 {
        return Ok(false);
    }
    consent::Entity::update_many()
        .col_expr(consent::Column::WithdrawnMs, Expr::value(now))
        .filter(consent::Column::ReaderId.eq(reader))
        .filter(consent::Column::NewsletterId.eq(newsletter))
        .filter(consent::Column::WithdrawnMs.is_null())
        .exec(&**txn)
        .await?;
    super::requests::end_open(txn, newsletter, reader, now).await?;
    Ok(true)
}

/// Ends every active subscription of a reader. The evidence of consent stays as it is.
pub async fn stop(
    txn: &WriteTxn,
    reader: ReaderId,
    state: State,
    why: &str,
    now: UnixMillis,
) -> Result<(), DbErr> {
    changed(state, why, now)
        .filter(subscription::Column::ReaderId.eq(reader))
        .filter(subscription::Column::State.eq(State::Active.code()))
        .exec(&**txn)
        .await
        .map(drop)
}

/// How an existing suppression changes: a complaint replaces a bounce or an erasure; otherwise the first reason stands.
pub fn weightiest() -> String {
    format!(
        "ON CONFLICT (address_hash) DO UPDATE SET reason = excluded.reason, note = excluded.note
         WHERE excluded.reason = {} AND suppression.reason IN ({}, {})",
        Suppression::Complaint.code(),
        Suppression::HardBounce.code(),
        Suppression::Erased.code()
    )
}

/// Suppresses an address, for the [weightiest](weightiest()) reason.
pub async fn suppress(
    txn: &WriteTxn,
    address_hash: &[u8],
    reason: Suppression,
    why: &str,
    now: UnixMillis,
) -> Result<(), DbErr> {
    run(
        &**txn,
        format!(
            "INSERT INTO suppression (address_hash, reason, note, created_ms) VALUES ($1, $2, $3, $4) {}",
            weightiest()
        ),
        [
            address_hash.to_vec().into(),
            reason.code().into(),
            why.into(),
            now.0.into(),
        ],
    )
    .await
    .map(drop)
}

/// Reactivates a subscription that was left at exactly `left`; false if there is none.
pub async fn come_back(
    txn: &WriteTxn,
    newsletter: NewsletterId,
    reader: ReaderId,
    left: UnixMillis,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    let done = changed(State::Active, "undone", now)
        .filter(subscription::Column::NewsletterId.eq(newsletter))
        .filter(subscription::Column::ReaderId.eq(reader))
        .filter(subscription::Column::State.eq(State::Left.code()))
        .filter(subscription::Column::ChangedMs.eq(left))
        .exec(&**txn)
        .await?;
    if done.rows_affected == 0 {
        return Ok(false);
    }
    consent::Entity::update_many()
        .col_expr(
            consent::Column::WithdrawnMs,
            Expr::value(None::<UnixMillis>),
        )
        .filter(consent::Column::ReaderId.eq(reader))
        .filter(consent::Column::NewsletterId.eq(newsletter))
        .filter(consent::Column::WithdrawnMs.eq(left))
        .exec(&**txn)
        .await?;
    Ok(true)
}

/// Changes a reader's name and time zone.
pub async fn describe(
    txn: &WriteTxn,
    id: ReaderId,
    name: &str,
    time_zone: Option<&str>,
) -> Result<(), DbErr> {
    reader::Entity::update_many()
        .col_expr(reader::Column::Name, Expr::value(name))
        .col_expr(reader::Column::TimeZone, Expr::value(time_zone))
        .filter(reader::Column::Id.eq(id))
        .filter(reader::Column::ErasedMs.is_null())
        .exec(&**txn)
        .await
        .map(drop)
}

/// The suppression of an address, if there is one.
pub async fn suppression<C: ConnectionTrait>(
    db: &C,
    address_hash: &[u8],
) -> Result<Option<i16>, DbErr> {
    let row = suppression::Entity::find_by_id(address_hash.to_vec());
    Ok(row.one(db).await?.map(|row| row.reason))
}

/// Lifts a suppression.
pub async fn lift_suppression(txn: &WriteTxn, address_hash: &[u8]) -> Result<(), DbErr> {
    suppression::Entity::delete_by_id(address_hash.to_vec())
        .exec(&**txn)
        .await
        .map(drop)
}

/// An active subscriber and when they confirmed.
#[derive(Debug, Clone, FromQueryResult)]
pub struct Subscriber {
    #[sea_orm(nested)]
    pub reader: Reader,
    #[sea_orm(from_alias = "confirmed_ms")]
    pub confirmed: UnixMillis,
}

/// Active subscribers and when they confirmed, by id, after `after`.
pub async fn active_after<C: ConnectionTrait>(
    db: &C,
    newsletter: NewsletterId,
    after: ReaderId,
    limit: u64,
) -> Result<Vec<Subscriber>, DbErr> {
    find_all(
        db,
        format!(
            "SELECT r.id, r.email, r.name, r.time_zone, s.confirmed_ms
             FROM subscription s JOIN reader r ON r.id = s.reader_id
             WHERE s.newsletter_id = $1 AND s.reader_id > $2 AND s.state = $3 AND r.erased_ms IS NULL
             ORDER BY s.reader_id LIMIT {limit}"
        ),
        [newsletter.into(), after.into(), State::Active.code().into()],
    )
    .await
}
