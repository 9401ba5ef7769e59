//! The tables `editor`, `editor_session` and `editor_invite`.

use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};

use crate::db::entities::editor;
use crate::db::{WriteTxn, fetch_all_as, fetch_one, fetch_one_as, run};
use crate::types::{EditorId, EmailAddress, UnixMillis};

/// An editor's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: EditorId,
    pub email: String,
    pub name: String,
    /// A PHC string; `None` before a password was chosen, and for a closed account.
    pub password_hash: Option<String>,
}

/// The account with this address key.
pub async fn by_email_key<C: ConnectionTrait>(db: &C, key: &str) -> Result<Option<Account>, DbErr> {
    let row = editor::Entity::find()
        .filter(editor::Column::EmailKey.eq(key))
        .one(db)
        .await?;
    Ok(row.map(Account::from))
}

pub async fn by_id<C: ConnectionTrait>(db: &C, id: EditorId) -> Result<Option<Account>, DbErr> {
    Ok(editor::Entity::find_by_id(id)
        .one(db)
        .await?
        .map(Account::from))
}

/// The account of `email`, created if there is none; an empty `name` keeps the existing one.
pub async fn add(
    txn: &WriteTxn,
    email: &EmailAddress,
    name: &str,
    now: UnixMillis,
) -> Result<EditorId, DbErr> {
    let name_given = if name.is_empty() {
        email.as_str()
    } else {
        name
    };
    let sql = "INSERT INTO editor (email_key, email, name, created_ms) VALUES ($1, $2, $3, $4) \
               ON CONFLICT (email_key) DO UPDATE SET email = excluded.email, \
               name = CASE WHEN $5 = '' THEN editor.name ELSE excluded.name END, disabled_ms = NULL RETURNING id";
    let values = [
        email.key().into(),
        email.as_str().into(),
        name_given.into(),
        now.into(),
        name.into(),
    ];
    let row = fetch_one(&**txn, sql, values).await?;
    row.ok_or_else(|| DbErr::RecordNotFound("the editor that was just written".into()))?
        .try_get("", "id")
}

/// Closes an account, with its sessions, set-up links and password. Returns false if there is no open account.
pub async fn close(txn: &WriteTxn, email: &EmailAddress, now: UnixMillis) -> Result<bool, DbErr> {
    let sql = "UPDATE editor SET disabled_ms = $1, password_hash = NULL \
               WHERE email_key = $2 AND disabled_ms IS NULL RETURNING id";
    let values = [now.into(), email.key().into()];
    let Some(row) = fetch_one(&**txn, sql, values).await? else {
        return Ok(false);
    };
    let id: EditorId = row.try_get("", "id")?;
    for sql in [
        "DELETE FROM editor_session WHERE editor_id = $1",
        "DELETE FROM editor_invite WHERE editor_id = $1 AND used_ms IS NULL",
    ] {
        run(&**txn, sql, [id.into()]).await?;
    }
    Ok(true)
}

/// Sets the password, which ends all sessions and set-up links of the editor.
pub async fn set_password(
    txn: &WriteTxn,
    id: EditorId,
    hash: &str,
    now: UnixMillis,
) -> Result<(), DbErr> {
    run(
        &**txn,
        "UPDATE editor SET password_hash = $1 WHERE id = $2",
        [hash.into(), id.into()],
    )
    .await?;
    run(
        &**txn,
        "DELETE FROM editor_session WHERE editor_id = $1",
        [id.into()],
    )
    .await?;
    let close = "UPDATE editor_invite SET used_ms = $1 WHERE editor_id = $2 AND used_ms IS NULL";
    run(&**txn, close, [now.into(), id.into()]).await.map(drop)
}

/// Stores a session, and deletes expired ones.
pub async fn start_session(
    txn: &WriteTxn,
    id: EditorId,
    token_hash: &[u8],
    now: UnixMillis,
    expires: UnixMillis,
) -> Result<(), DbErr> {
    let ended = "DELETE FROM editor_session WHERE expires_ms <= $1";
    run(&**txn, ended, [now.into()]).await?;
    add_token(txn, "editor_session", id, token_hash, now, expires).await
}

/// The account that a session belongs to, if the session has not expired and the account is open.
pub async fn of_session<C: ConnectionTrait>(
    db: &C,
    token_hash: &[u8],
    now: UnixMillis,
) -> Result<Option<Account>, DbErr> {
    let sql = "SELECT e.id, e.email, e.name FROM editor_session s JOIN editor e ON e.id = s.editor_id \
               WHERE s.token_hash = $1 AND s.expires_ms > $2 AND e.disabled_ms IS NULL";
    fetch_one_as(db, sql, [token_hash.to_vec().into(), now.into()], |row| {
        Ok(Account {
            id: row.try_get("", "id")?,
            email: row.try_get("", "email")?,
            name: row.try_get("", "name")?,
            password_hash: None,
        })
    })
    .await
}

pub async fn end_session(txn: &WriteTxn, token_hash: &[u8]) -> Result<(), DbErr> {
    let sql = "DELETE FROM editor_session WHERE token_hash = $1";
    run(&**txn, sql, [token_hash.to_vec().into()])
        .await
        .map(drop)
}

/// Stores a set-up link; the editor's earlier links stop working.
pub async fn add_invite(
    txn: &WriteTxn,
    id: EditorId,
    token_hash: &[u8],
    now: UnixMillis,
    expires: UnixMillis,
) -> Result<(), DbErr> {
    let unused = "DELETE FROM editor_invite WHERE editor_id = $1 AND used_ms IS NULL";
    run(&**txn, unused, [id.into()]).await?;
    add_token(txn, "editor_invite", id, token_hash, now, expires).await
}

async fn add_token(
    txn: &WriteTxn,
    table: &str,
    id: EditorId,
    token_hash: &[u8],
    now: UnixMillis,
    expires: UnixMillis,
) -> Result<(), DbErr> {
    let sql = format!(
        "INSERT INTO {table} (token_hash, editor_id, created_ms, expires_ms) VALUES ($1, $2, $3, $4)"
    );
    let values = [
        token_hash.to_vec().into(),
        id.into(),
        now.into(),
        expires.into(),
    ];
    run(&**txn, sql, values).await.map(drop)
}

/// A set-up link: whose it is, when it expires, and when it was used.
pub struct InviteRow {
    pub editor: EditorId,
    pub email: String,
    pub expires: UnixMillis,
    pub used: Option<UnixMillis>,
}

pub async fn invite<C: ConnectionTrait>(
    db: &C,
    token_hash: &[u8],
) -> Result<Option<InviteRow>, DbErr> {
    let sql = "SELECT i.editor_id, e.email, i.expires_ms, i.used_ms FROM editor_invite i \
               JOIN editor e ON e.id = i.editor_id WHERE i.token_hash = $1 AND e.disabled_ms IS NULL";
    fetch_one_as(db, sql, [token_hash.to_vec().into()], |row| {
        Ok(InviteRow {
            editor: row.try_get("", "editor_id")?,
            email: row.try_get("", "email")?,
            expires: row.try_get("", "expires_ms")?,
            used: row.try_get("", "used_ms")?,
        })
    })
    .await
}

/// Uses a link up. Returns false if it was used or expired in the meantime.
pub async fn use_invite(txn: &WriteTxn, token_hash: &[u8], now: UnixMillis) -> Result<bool, DbErr> {
    let sql = "UPDATE editor_invite SET used_ms = $1 WHERE token_hash = $2 AND used_ms IS NULL AND expires_ms > $1";
    let done = run(&**txn, sql, [now.into(), token_hash.to_vec().into()]).await?;
    Ok(done.rows_affected() == 1)
}

/// An editor in the list of the settings page.
#[derive(Clone, Debug)]
pub struct Listed {
    pub name: String,
    pub email: String,
    pub has_password: bool,
    pub disabled: bool,
    /// The number of current sessions.
    pub sessions: i64,
}

/// All editors, by name.
pub async fn list<C: ConnectionTrait>(db: &C, now: UnixMillis) -> Result<Vec<Listed>, DbErr> {
    let sql = "SELECT name, email, password_hash IS NOT NULL AS has_password, disabled_ms IS NOT NULL AS disabled, \
               (SELECT COUNT(*) FROM editor_session s WHERE s.editor_id = editor.id AND s.expires_ms > $1) AS sessions \
               FROM editor ORDER BY name, id";
    fetch_all_as(db, sql, [now.into()], |row| {
        Ok(Listed {
            name: row.try_get("", "name")?,
            email: row.try_get("", "email")?,
            has_password: row.try_get("", "has_password")?,
            disabled: row.try_get("", "disabled")?,
            sessions: row.try_get("", "sessions")?,
        })
    })
    .await
}

impl From<editor::Model> for Account {
    fn from(row: editor::Model) -> Self {
        Self {
            id: row.id,
            email: row.email,
            name: row.name,
            password_hash: row.password_hash.filter(|_| row.disabled_ms.is_none()),
        }
    }
}
