//! The tables `editor`, `editor_session` and `editor_invite`.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait as _, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult,
    QueryFilter,
};

use crate::db::entities::{editor, editor_invite, editor_session};
use crate::db::{Backend, Db, WriteTxn, fetch_one, find_all, find_one, find_value};
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
    let id = find_value(&**txn, sql, values).await?;
    id.ok_or(DbErr::RecordNotInserted)
}

/// Closes an account, with its sessions, set-up links and password. Returns false if there is no open account.
pub async fn close(txn: &WriteTxn, email: &EmailAddress, now: UnixMillis) -> Result<bool, DbErr> {
    let sql = "UPDATE editor SET disabled_ms = $1, password_hash = NULL \
               WHERE email_key = $2 AND disabled_ms IS NULL RETURNING id";
    let closed: Option<EditorId> =
        find_value(&**txn, sql, [now.into(), email.key().into()]).await?;
    let Some(id) = closed else {
        return Ok(false);
    };
    end_sessions(txn, id).await?;
    forget_unused(txn, id).await?;
    Ok(true)
}

async fn end_sessions(txn: &WriteTxn, id: EditorId) -> Result<(), DbErr> {
    editor_session::Entity::delete_many()
        .filter(editor_session::Column::EditorId.eq(id))
        .exec(&**txn)
        .await
        .map(drop)
}

async fn forget_unused(txn: &WriteTxn, id: EditorId) -> Result<(), DbErr> {
    editor_invite::Entity::delete_many()
        .filter(editor_invite::Column::EditorId.eq(id))
        .filter(editor_invite::Column::UsedMs.is_null())
        .exec(&**txn)
        .await
        .map(drop)
}

/// Locks an account until `txn` ends, so that of two clicks the second one sees what the first has made.
///
/// # Errors
/// The error of the database.
pub async fn lock(db: &Db, txn: &WriteTxn, id: EditorId) -> Result<(), DbErr> {
    // SQLite has one writer.
    if db.backend() == Backend::Postgres {
        let sql = "SELECT 1 FROM editor WHERE id = $1 FOR UPDATE";
        fetch_one(&**txn, sql, [id.into()]).await?;
    }
    Ok(())
}

/// Locks an account until `txn` ends. Returns whether it is open and its password is still the one with this hash.
pub async fn lock_if_unchanged(
    db: &Db,
    txn: &WriteTxn,
    id: EditorId,
    hash: &str,
) -> Result<bool, DbErr> {
    let lock = match db.backend() {
        Backend::Postgres => " FOR UPDATE",
        Backend::Sqlite => "",
    };
    let sql = format!(
        "SELECT id FROM editor WHERE id = $1 AND password_hash = $2 AND disabled_ms IS NULL{lock}"
    );
    let unchanged: Option<EditorId> = find_value(&**txn, sql, [id.into(), hash.into()]).await?;
    Ok(unchanged.is_some())
}

/// Sets the password, which ends all sessions and set-up links of the editor.
pub async fn set_password(
    txn: &WriteTxn,
    id: EditorId,
    hash: &str,
    now: UnixMillis,
) -> Result<(), DbErr> {
    editor::Entity::update_many()
        .col_expr(editor::Column::PasswordHash, Expr::value(hash))
        .filter(editor::Column::Id.eq(id))
        .exec(&**txn)
        .await?;
    end_sessions(txn, id).await?;
    editor_invite::Entity::update_many()
        .col_expr(editor_invite::Column::UsedMs, Expr::value(now))
        .filter(editor_invite::Column::EditorId.eq(id))
        .filter(editor_invite::Column::UsedMs.is_null())
        .exec(&**txn)
        .await
        .map(drop)
}

/// Stores a session, and deletes expired ones.
pub async fn start_session(
    txn: &WriteTxn,
    id: EditorId,
    token_hash: &[u8],
    now: UnixMillis,
    expires: UnixMillis,
) -> Result<(), DbErr> {
    editor_session::Entity::delete_many()
        .filter(editor_session::Column::ExpiresMs.lte(now))
        .exec(&**txn)
        .await?;
    let session = editor_session::ActiveModel {
        token_hash: Set(token_hash.to_vec()),
        editor_id: Set(id),
        created_ms: Set(now),
        expires_ms: Set(expires),
    };
    session.insert(&**txn).await.map(drop)
}

/// The account that a session belongs to, if the session has not expired and the account is open.
pub async fn of_session<C: ConnectionTrait>(
    db: &C,
    token_hash: &[u8],
    now: UnixMillis,
) -> Result<Option<Account>, DbErr> {
    let sql = "SELECT e.id, e.email, e.name FROM editor_session s JOIN editor e ON e.id = s.editor_id \
               WHERE s.token_hash = $1 AND s.expires_ms > $2 AND e.disabled_ms IS NULL";
    #[derive(FromQueryResult)]
    struct Row {
        id: EditorId,
        email: String,
        name: String,
    }
    let row: Option<Row> = find_one(db, sql, [token_hash.to_vec().into(), now.into()]).await?;
    Ok(row.map(|row| Account {
        id: row.id,
        email: row.email,
        name: row.name,
        password_hash: None,
    }))
}

pub async fn end_session(txn: &WriteTxn, token_hash: &[u8]) -> Result<(), DbErr> {
    editor_session::Entity::delete_by_id(token_hash.to_vec())
        .exec(&**txn)
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
    forget_unused(txn, id).await?;
    let invite = editor_invite::ActiveModel {
        token_hash: Set(token_hash.to_vec()),
        editor_id: Set(id),
        created_ms: Set(now),
        expires_ms: Set(expires),
        used_ms: Set(None),
    };
    invite.insert(&**txn).await.map(drop)
}

/// A set-up link: whose it is, when it expires, and when it was used.
#[derive(FromQueryResult)]
pub struct InviteRow {
    #[sea_orm(from_alias = "editor_id")]
    pub editor: EditorId,
    pub email: String,
    #[sea_orm(from_alias = "expires_ms")]
    pub expires: UnixMillis,
    #[sea_orm(from_alias = "used_ms")]
    pub used: Option<UnixMillis>,
}

pub async fn invite<C: ConnectionTrait>(
    db: &C,
    token_hash: &[u8],
) -> Result<Option<InviteRow>, DbErr> {
    let sql = "SELECT i.editor_id, e.email, i.expires_ms, i.used_ms FROM editor_invite i \
               JOIN editor e ON e.id = i.editor_id WHERE i.token_hash = $1 AND e.disabled_ms IS NULL";
    find_one(db, sql, [token_hash.to_vec().into()]).await
}

/// Uses a link up. Returns false if it was used or expired in the meantime.
pub async fn use_invite(txn: &WriteTxn, token_hash: &[u8], now: UnixMillis) -> Result<bool, DbErr> {
    let used = editor_invite::Entity::update_many()
        .col_expr(editor_invite::Column::UsedMs, Expr::value(now))
        .filter(editor_invite::Column::TokenHash.eq(token_hash.to_vec()))
        .filter(editor_invite::Column::UsedMs.is_null())
        .filter(editor_invite::Column::ExpiresMs.gt(now))
        .exec(&**txn)
        .await?;
    Ok(used.rows_affected == 1)
}

/// An editor in the list of the settings page.
#[derive(Clone, Debug, FromQueryResult)]
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
    find_all(db, sql, [now.into()]).await
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
