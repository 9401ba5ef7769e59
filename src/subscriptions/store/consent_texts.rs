//! The consent texts that readers agreed to, here or elsewhere.

use sea_orm::{ConnectionTrait, Value};

use crate::db::{DbErr, WriteTxn, fetch_one};
use crate::newsletters::ConsentText;
use crate::types::{ConsentTextId, NewsletterId, UnixMillis};

/// Stores the consent text of an import or of a publisher's own form. Its version is −1, −2, …: it is evidence and
/// never shown on our own forms, whose versions count up from 1. An equal text is stored only once.
pub async fn keep(
    txn: &WriteTxn,
    newsletter: NewsletterId,
    body: &str,
    now: UnixMillis,
) -> Result<ConsentText, DbErr> {
    let known = fetch_one(
        &**txn,
        "SELECT id, version FROM consent_text WHERE newsletter_id = $1 AND body = $2 ORDER BY id LIMIT 1",
        [newsletter.0.into(), body.into()],
    )
    .await?;
    let row = match known {
        Some(row) => row,
        None => fetch_one(
            &**txn,
            "INSERT INTO consent_text (newsletter_id, version, body, created_ms)
             SELECT $1, CASE WHEN MIN(version) < 0 THEN MIN(version) ELSE 0 END - 1, $2, $3 FROM consent_text WHERE newsletter_id = $1
             RETURNING id, version",
            [newsletter.0.into(), body.into(), now.0.into()],
        )
        .await?
        .ok_or(DbErr::RecordNotInserted)?,
    };
    Ok(ConsentText {
        id: ConsentTextId(row.try_get_by_index(0)?),
        version: row.try_get_by_index(1)?,
        body: body.to_owned(),
    })
}

/// The text with this id.
pub async fn by_id<C: ConnectionTrait>(
    db: &C,
    id: ConsentTextId,
) -> Result<Option<ConsentText>, DbErr> {
    one(
        db,
        "SELECT id, version, body FROM consent_text WHERE id = $1",
        [id.0.into()],
    )
    .await
}

/// One of the versions that the newsletter's own forms have shown.
pub async fn by_version<C: ConnectionTrait>(
    db: &C,
    newsletter: NewsletterId,
    version: i64,
) -> Result<Option<ConsentText>, DbErr> {
    one(
        db,
        "SELECT id, version, body FROM consent_text WHERE newsletter_id = $1 AND version = $2 AND version > 0",
        [newsletter.0.into(), version.into()],
    )
    .await
}

async fn one<C: ConnectionTrait>(
    db: &C,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Option<ConsentText>, DbErr> {
    let Some(row) = fetch_one(db, sql, values).await? else {
        return Ok(None);
    };
    Ok(Some(ConsentText {
        id: ConsentTextId(row.try_get_by_index(0)?),
        version: row.try_get_by_index(1)?,
        body: row.try_get_by_index(2)?,
    }))
}
