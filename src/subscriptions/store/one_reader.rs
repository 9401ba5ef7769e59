//! One reader: what they agreed to, what was mailed to them, stopping that, and erasing them.

use sea_orm::{DbErr, FromQueryResult, Value};

use crate::db::{Db, WriteTxn, find_all, find_one, find_value, run};
use crate::subscriptions::model::{State, Suppression};
use crate::types::{NewsletterId, ReaderId, UnixMillis};

#[derive(FromQueryResult)]
pub struct Reader {
    pub id: ReaderId,
    pub email: String,
    pub name: String,
    #[sea_orm(from_alias = "created_ms")]
    pub since: UnixMillis,
    pub erased: bool,
}

#[derive(FromQueryResult)]
pub struct Subscription {
    #[sea_orm(from_alias = "id")]
    pub newsletter_id: NewsletterId,
    pub slug: String,
    #[sea_orm(from_alias = "name")]
    pub newsletter: String,
    pub state: i16,
    #[sea_orm(from_alias = "confirmed_ms")]
    pub confirmed: UnixMillis,
    #[sea_orm(from_alias = "changed_ms")]
    pub changed: UnixMillis,
    pub reason: String,
}

/// The evidence of one consent.
#[derive(FromQueryResult)]
pub struct Consent {
    #[sea_orm(from_alias = "name")]
    pub newsletter: String,
    /// Negative for the text of an import or of a publisher's own form.
    pub version: i64,
    /// When this text was first stored.
    #[sea_orm(from_alias = "created_ms")]
    pub kept: UnixMillis,
    pub body: String,
    pub page: String,
    pub source: String,
    #[sea_orm(from_alias = "requested_ms")]
    pub requested: UnixMillis,
    #[sea_orm(from_alias = "confirmed_ms")]
    pub confirmed: UnixMillis,
    #[sea_orm(from_alias = "withdrawn_ms")]
    pub withdrawn: Option<UnixMillis>,
}

#[derive(FromQueryResult)]
pub struct Mail {
    pub subject: String,
    pub state: i16,
    #[sea_orm(from_alias = "at_ms")]
    pub at: UnixMillis,
    pub attempt: i64,
}

/// Why, and since when, an address is suppressed.
#[derive(FromQueryResult)]
pub struct Suppressed {
    pub reason: i16,
    pub note: String,
    #[sea_orm(from_alias = "created_ms")]
    pub at: UnixMillis,
}

pub async fn reader(db: &Db, id: ReaderId) -> Result<Option<Reader>, DbErr> {
    let sql = "SELECT id, email, name, created_ms, erased_ms IS NOT NULL AS erased FROM reader WHERE id = $1";
    find_one(db.read(), sql, [id.into()]).await
}

pub async fn subscriptions(db: &Db, id: ReaderId) -> Result<Vec<Subscription>, DbErr> {
    let sql = "SELECT n.id, n.slug, n.name, s.state, s.confirmed_ms, s.changed_ms, s.reason FROM subscription s \
               JOIN newsletter n ON n.id = s.newsletter_id WHERE s.reader_id = $1 ORDER BY n.name, n.id";
    find_all(db.read(), sql, [id.into()]).await
}

pub async fn consents(db: &Db, id: ReaderId) -> Result<Vec<Consent>, DbErr> {
    let sql = "SELECT n.name, t.version, t.created_ms, t.body, c.page, c.source, c.requested_ms, c.confirmed_ms, c.withdrawn_ms \
               FROM consent c JOIN consent_text t ON t.id = c.consent_text_id JOIN newsletter n ON n.id = c.newsletter_id \
               WHERE c.reader_id = $1 ORDER BY c.confirmed_ms DESC, c.id DESC";
    find_all(db.read(), sql, [id.into()]).await
}

/// The newest issues that were sent to the reader, or were to be.
pub async fn mails(db: &Db, id: ReaderId, most: i64) -> Result<Vec<Mail>, DbErr> {
    let sql = format!(
        "SELECT i.subject, d.state, d.at_ms, d.attempt FROM issue i JOIN delivery d ON d.issue_id = i.id AND d.reader_id = $1 \
         ORDER BY i.id DESC LIMIT {most}"
    );
    find_all(db.read(), sql, [id.into()]).await
}

pub async fn suppressed(db: &Db, hash: &[u8]) -> Result<Option<Suppressed>, DbErr> {
    let sql = "SELECT reason, note, created_ms FROM suppression WHERE address_hash = $1";
    find_one(db.read(), sql, [hash.to_vec().into()]).await
}

/// Removes a reader from a newsletter, or from all. Only active subscriptions change.
pub async fn remove(
    txn: &WriteTxn,
    id: ReaderId,
    newsletter: Option<NewsletterId>,
    reason: &str,
    now: UnixMillis,
) -> Result<(), DbErr> {
    let withdraw =
        "UPDATE consent SET withdrawn_ms = $1 WHERE reader_id = $2 AND withdrawn_ms IS NULL";
    let remove = "UPDATE subscription SET state = $1, changed_ms = $2, reason = $3 WHERE reader_id = $4 AND state = $5";
    let mut withdraw_values: Vec<Value> = vec![now.into(), id.into()];
    let mut remove_values: Vec<Value> = vec![
        State::Removed.code().into(),
        now.into(),
        reason.into(),
        id.into(),
        State::Active.code().into(),
    ];
    let (mut withdraw, mut remove) = (withdraw.to_owned(), remove.to_owned());
    if let Some(newsletter) = newsletter {
        withdraw_values.push(newsletter.into());
        remove_values.push(newsletter.into());
        withdraw.push_str(" AND newsletter_id = $3");
        remove.push_str(" AND newsletter_id = $6");
    }
    run(&**txn, remove, remove_values).await?;
    run(&**txn, withdraw, withdraw_values).await.map(drop)
}

/// Suppresses the address. An existing suppression stays as it is.
pub async fn suppress(
    txn: &WriteTxn,
    hash: &[u8],
    note: &str,
    now: UnixMillis,
) -> Result<(), DbErr> {
    let sql = "INSERT INTO suppression (address_hash, reason, note, created_ms) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (address_hash) DO NOTHING";
    let values = [
        hash.to_vec().into(),
        Suppression::Editor.code().into(),
        note.into(),
        now.into(),
    ];
    run(&**txn, sql, values).await.map(drop)
}

/// Lifts the suppression of the address, and returns the code of its reason; `None` if there was no suppression.
pub async fn allow(txn: &WriteTxn, hash: &[u8]) -> Result<Option<i16>, DbErr> {
    let sql = "DELETE FROM suppression WHERE address_hash = $1 RETURNING reason";
    find_value(&**txn, sql, [hash.to_vec().into()]).await
}

/// Deletes everything personal from a reader's row, and the consents; `nobody` replaces the address. False: the reader
/// was erased already.
pub async fn erase(
    txn: &WriteTxn,
    id: ReaderId,
    nobody: &str,
    now: UnixMillis,
) -> Result<bool, DbErr> {
    let sql = "UPDATE reader SET email_key = $1, email = '', name = '', time_zone = NULL, erased_ms = $2 \
               WHERE id = $3 AND erased_ms IS NULL";
    let values: [Value; 3] = [nobody.into(), now.into(), id.into()];
    if run(&**txn, sql, values).await?.rows_affected() == 0 {
        return Ok(false);
    }
    run(
        &**txn,
        "DELETE FROM consent WHERE reader_id = $1",
        [id.into()],
    )
    .await?;
    Ok(true)
}
