//! Writes one batch of an import with a handful of set-based statements, whatever the number of rows.

use std::collections::{HashMap, HashSet};

use sea_orm::{FromQueryResult, Value};
use serde::Serialize;

use super::gone::Gone;
use crate::db::{Backend, DbErr, WriteTxn, find_all, find_values, in_list, run, values_list};
use crate::subscriptions::model::State;
use crate::subscriptions::store::subscribers::weightiest;
use crate::types::{ConsentTextId, NewsletterId, ReaderId, UnixMillis};

/// A row that is ready for the database. Its key is unique within the batch.
#[derive(Debug)]
pub(super) struct Ready {
    pub line: u64,
    /// Later lines with the same address.
    pub again: Vec<u64>,
    pub key: String,
    pub email: String,
    pub hash: Vec<u8>,
    pub name: String,
    pub time_zone: Option<String>,
    pub confirmed: UnixMillis,
    /// Why the reader is not to be subscribed, according to the file.
    pub gone: Option<Gone>,
}

/// The target of a batch.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub newsletter: NewsletterId,
    pub consent_text: ConsentTextId,
    /// Where these readers come from; recorded as the page in the evidence.
    pub page: String,
}

/// The outcome of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Subscribed,
    /// Was an active subscriber before, or is in the file twice.
    AlreadyThere,
    /// Left, was removed, bounced or complained: an import does not bring readers back.
    LeftBefore,
    Suppressed,
    /// Gone according to the file. For some reasons the address is suppressed now.
    Gone(Gone),
    /// Gone according to the file, but subscribed here, which only the reader or an editor can end.
    StaysHere,
}

impl Fate {
    /// The fate of a later row with the same address.
    pub(super) fn again(self) -> Self {
        match self {
            Self::Subscribed => Self::AlreadyThere,
            other => other,
        }
    }
}

/// Writes a batch; returns the fate of each row, in the order of the batch.
pub(super) async fn write(
    db: Backend,
    txn: &WriteTxn,
    target: &Target,
    batch: &[Ready],
    now: UnixMillis,
) -> Result<Vec<Fate>, DbErr> {
    hold_readers(db, txn, batch).await?;
    let suppressed = suppressed(txn, batch).await?;
    let (gone, rest): (Vec<&Ready>, Vec<&Ready>) = batch.iter().partition(|row| row.gone.is_some());
    let welcome: Vec<&Ready> = rest
        .into_iter()
        .filter(|row| !suppressed.contains(&row.hash))
        .collect();
    let here = subscribed_here(db, txn, &gone).await?;
    suppress(txn, target, &gone, &here, now).await?;
    let ids = upsert_readers(db, txn, &welcome, now).await?;
    let entered = enter_subscriptions(db, txn, target, &welcome, &ids, now).await?;

    record_consents(db, txn, target, &welcome, &ids, &entered).await?;
    let others: Vec<ReaderId> = ids
        .values()
        .copied()
        .filter(|id| !entered.contains(id))
        .collect();
    let states = states(txn, target.newsletter, &others).await?;
    Ok(batch
        .iter()
        .map(|row| match ids.get(&row.key) {
            _ if here.contains(&row.key) => Fate::StaysHere,
            None => row.gone.map_or(Fate::Suppressed, Fate::Gone),
            Some(id) if entered.contains(id) => Fate::Subscribed,
            Some(id) if states.get(id) == Some(&State::Active.code()) => Fate::AlreadyThere,
            Some(_) => Fate::LeftBefore,
        })
        .collect())
}

/// Locks the readers who are known, as everything does that writes about them.
async fn hold_readers(db: Backend, txn: &WriteTxn, rows: &[Ready]) -> Result<(), DbErr> {
    if db == Backend::Sqlite {
        return Ok(());
    }
    let keys: Vec<_> = rows.iter().map(|row| (&row.key,)).collect();
    let sql = format!(
        "SELECT 1 FROM reader WHERE email_key IN (SELECT value ->> 0 FROM {}) ORDER BY id FOR UPDATE",
        rows_from(db, "$1")
    );
    run(&**txn, sql, [json(&keys)?.into()]).await.map(drop)
}

/// The readers of `rows` who are subscribed to any newsletter here, by key.
async fn subscribed_here(
    db: Backend,
    txn: &WriteTxn,
    rows: &[&Ready],
) -> Result<HashSet<String>, DbErr> {
    if rows.is_empty() {
        return Ok(HashSet::new());
    }
    let keys: Vec<_> = rows.iter().map(|row| (&row.key,)).collect();
    let sql = format!(
        "SELECT email_key FROM reader WHERE email_key IN (SELECT value ->> 0 FROM {}) \
         AND EXISTS (SELECT 1 FROM subscription s WHERE s.reader_id = reader.id AND s.state = $2)",
        rows_from(db, "$1")
    );
    let values = [json(&keys)?.into(), State::Active.code().into()];
    find_values(&**txn, sql, values).await
}

/// Suppresses the addresses that bounced, complained or were blocked elsewhere, for the most serious reason, except
/// those of readers who have opted in here.
async fn suppress(
    txn: &WriteTxn,
    target: &Target,
    gone: &[&Ready],
    here: &HashSet<String>,
    now: UnixMillis,
) -> Result<(), DbErr> {
    let mut wanted: Vec<(&[u8], i16)> = gone
        .iter()
        .filter(|row| !here.contains(&row.key))
        .filter_map(|row| Some((&row.hash[..], row.gone?.suppression()?.code())))
        .collect();
    if wanted.is_empty() {
        return Ok(());
    }
    // In the order of their keys, so that two imports at once cannot deadlock.
    wanted.sort_unstable();
    let sql = format!(
        "WITH gone (hash, reason) AS (VALUES {}) INSERT INTO suppression (address_hash, reason, note, created_ms) \
         SELECT hash, CAST(reason AS SMALLINT), CAST($1 AS TEXT), CAST($2 AS BIGINT) FROM gone WHERE true ORDER BY hash {}",
        values_list(wanted.len(), 2, 2),
        weightiest()
    );
    let row = |(hash, reason): (&[u8], i16)| [Value::from(hash.to_vec()), reason.into()];
    let values: [Value; 2] = [target.page.clone().into(), now.0.into()];
    let values = values.into_iter().chain(wanted.into_iter().flat_map(row));
    run(&**txn, sql, values).await.map(drop)
}

async fn suppressed(txn: &WriteTxn, batch: &[Ready]) -> Result<HashSet<Vec<u8>>, DbErr> {
    if batch.is_empty() {
        return Ok(HashSet::new());
    }
    let sql = format!(
        "SELECT address_hash FROM suppression WHERE address_hash IN {}",
        in_list(batch.len(), 0)
    );
    let hashes = batch.iter().map(|row| row.hash.clone().into());
    find_values(&**txn, sql, hashes).await
}

/// The rows of a batch as a table with one column, `value`, from a single JSON parameter. With a parameter for every
/// cell, SQLite takes quadratic time (it looks up the name of each in a list): three quarters of an import, as
/// measured.
fn rows_from(db: Backend, parameter: &str) -> String {
    match db {
        Backend::Sqlite => format!("json_each({parameter})"),
        Backend::Postgres => {
            format!("jsonb_array_elements(CAST(CAST({parameter} AS TEXT) AS JSONB)) AS rows(value)")
        }
    }
}

fn json(rows: &[impl Serialize]) -> Result<String, DbErr> {
    serde_json::to_string(rows).map_err(|e| DbErr::Json(e.to_string()))
}

/// Inserts new readers. For known readers it only fills in what they have not set themselves.
async fn upsert_readers(
    db: Backend,
    txn: &WriteTxn,
    rows: &[&Ready],
    now: UnixMillis,
) -> Result<HashMap<String, ReaderId>, DbErr> {
    let cells: Vec<_> = rows
        .iter()
        .map(|row| (&row.key, &row.email, &row.name, &row.time_zone))
        .collect();
    let sql = format!(
        "INSERT INTO reader (email_key, email, name, time_zone, created_ms)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, $2 FROM {} WHERE true
         ON CONFLICT (email_key) DO UPDATE SET
             name = CASE WHEN reader.name = '' THEN excluded.name ELSE reader.name END,
             time_zone = COALESCE(reader.time_zone, excluded.time_zone)
         RETURNING email_key, id",
        rows_from(db, "$1")
    );
    #[derive(FromQueryResult)]
    struct Row {
        email_key: String,
        id: ReaderId,
    }
    let rows: Vec<Row> = find_all(&**txn, sql, [json(&cells)?.into(), now.0.into()]).await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.email_key, row.id))
        .collect())
}

/// Subscribes the readers who have no subscription in any state, and returns them.
async fn enter_subscriptions(
    db: Backend,
    txn: &WriteTxn,
    target: &Target,
    rows: &[&Ready],
    ids: &HashMap<String, ReaderId>,
    now: UnixMillis,
) -> Result<HashSet<ReaderId>, DbErr> {
    let cells: Vec<_> = rows
        .iter()
        .filter_map(|row| ids.get(&row.key).map(|id| (id, row.confirmed)))
        .collect();
    let sql = format!(
        "INSERT INTO subscription (newsletter_id, reader_id, state, confirmed_ms, changed_ms, reason)
         SELECT $2, CAST(value ->> 0 AS BIGINT), $3, CAST(value ->> 1 AS BIGINT), $4, 'import' FROM {} WHERE true
         ON CONFLICT (newsletter_id, reader_id) DO NOTHING
         RETURNING reader_id",
        rows_from(db, "$1")
    );
    let values = [
        json(&cells)?.into(),
        target.newsletter.0.into(),
        State::Active.code().into(),
        now.0.into(),
    ];
    find_values(&**txn, sql, values).await
}

async fn record_consents(
    db: Backend,
    txn: &WriteTxn,
    target: &Target,
    rows: &[&Ready],
    ids: &HashMap<String, ReaderId>,
    entered: &HashSet<ReaderId>,
) -> Result<(), DbErr> {
    let cells: Vec<_> = rows
        .iter()
        .filter_map(|row| {
            ids.get(&row.key)
                .filter(|id| entered.contains(id))
                .map(|id| (id, row.confirmed))
        })
        .collect();
    let sql = format!(
        "INSERT INTO consent (reader_id, newsletter_id, consent_text_id, page, source, requested_ms, confirmed_ms)
         SELECT CAST(value ->> 0 AS BIGINT), $2, $3, $4, 'import', CAST(value ->> 1 AS BIGINT), CAST(value ->> 1 AS BIGINT)
         FROM {}",
        rows_from(db, "$1")
    );
    let values = [
        json(&cells)?.into(),
        target.newsletter.0.into(),
        target.consent_text.0.into(),
        target.page.clone().into(),
    ];
    run(&**txn, sql, values).await.map(drop)
}

async fn states(
    txn: &WriteTxn,
    newsletter: NewsletterId,
    readers: &[ReaderId],
) -> Result<HashMap<ReaderId, i16>, DbErr> {
    if readers.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = format!(
        "SELECT reader_id, state FROM subscription WHERE newsletter_id = $1 AND reader_id IN {}",
        in_list(readers.len(), 1)
    );
    let values = std::iter::once(newsletter.0.into()).chain(readers.iter().map(|id| id.0.into()));
    #[derive(FromQueryResult)]
    struct Row {
        reader_id: ReaderId,
        state: i16,
    }
    let rows: Vec<Row> = find_all(&**txn, sql, values).await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.reader_id, row.state))
        .collect())
}
