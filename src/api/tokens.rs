//! API tokens: created by `canvass api-token create`, shown once, stored hashed; `revoke` takes effect with the
//! next request.

use axum::extract::FromRequestParts;
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::request::Parts;
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder,
};

use crate::app::App;
use crate::db::entities::api_token;
use crate::types::token::{random_token, token_hash};
use crate::types::{ApiTokenId, Secret, UnixMillis};
use crate::web::Problem;

/// A script that sent a valid token.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The token it sent.
    pub token: ApiTokenId,
    /// The script it speaks for: the first token of which this one is a replacement, or the token itself. Whoever a
    /// script names, and what it has asked for under an Idempotency-Key, outlives the change of its token.
    pub script: ApiTokenId,
}

/// Creates a token. Its text is not stored, so this is the only time it can be read. With `replaces`, it speaks for
/// the same script as that token, which stays valid until it is revoked. `None`: there is no such token.
pub async fn create(
    app: &App,
    name: &str,
    replaces: Option<ApiTokenId>,
) -> Result<Option<Secret>, DbErr> {
    let text = format!(
        "cvs_{}{}",
        random_token(&app.random),
        random_token(&app.random)
    );
    let txn = app.db.write_txn("api-token").await?;
    let script = match replaces {
        None => None,
        Some(token) => match api_token::Entity::find_by_id(token).one(&*txn).await? {
            Some(old) => Some(old.script_id.unwrap_or(old.id)),
            None => return Ok(None),
        },
    };
    api_token::ActiveModel {
        id: NotSet,
        name: Set(name.into()),
        token_hash: Set(token_hash(&text)),
        created_ms: Set(app.clock.now()),
        revoked_ms: Set(None),
        script_id: Set(script),
    }
    .insert(&*txn)
    .await?;
    txn.commit().await?;
    Ok(Some(Secret::new(text)))
}

/// A token in the list for the operator; its text was never stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The id that `revoke` takes.
    pub id: ApiTokenId,
    /// The purpose given when it was created.
    pub name: String,
    /// When it was created.
    pub created: UnixMillis,
    /// When it was revoked.
    pub revoked: Option<UnixMillis>,
    /// The first token of the same script, if it is another one.
    pub script: Option<ApiTokenId>,
}

/// Every token ever created, oldest first.
pub async fn list<C: ConnectionTrait>(db: &C) -> Result<Vec<Listed>, DbErr> {
    let rows = api_token::Entity::find()
        .order_by_asc(api_token::Column::Id)
        .all(db)
        .await?;
    let listed = rows.into_iter().map(|row| Listed {
        id: row.id,
        name: row.name,
        created: row.created_ms,
        revoked: row.revoked_ms,
        script: row.script_id,
    });
    Ok(listed.collect())
}

/// Revokes a token, with effect from the next request, and returns its name. `None` if there is no such token or it
/// was already revoked.
pub async fn revoke(app: &App, token: ApiTokenId) -> Result<Option<String>, DbErr> {
    let txn = app.db.write_txn("revoke api-token").await?;
    let ended = api_token::Entity::update_many()
        .col_expr(api_token::Column::RevokedMs, Expr::value(app.clock.now().0))
        .filter(api_token::Column::Id.eq(token))
        .filter(api_token::Column::RevokedMs.is_null())
        .exec(&*txn)
        .await?;
    if ended.rows_affected == 0 {
        return Ok(None);
    }
    let name = name(&*txn, token).await?;
    txn.commit().await?;
    Ok(Some(name))
}

/// The name that was given to a token.
pub async fn name<C: ConnectionTrait>(db: &C, token: ApiTokenId) -> Result<String, DbErr> {
    let row = api_token::Entity::find_by_id(token).one(db).await?;
    Ok(row.map_or_else(String::new, |row| row.name))
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let token = parts
            .headers
            .get(AUTHORIZATION)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| v.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(unauthorised)?;
        let hash = token_hash(token);
        let row = api_token::Entity::find()
            .filter(api_token::Column::TokenHash.eq(hash.clone()))
            .filter(api_token::Column::RevokedMs.is_null())
            .one(app.db.read())
            .await?
            .ok_or_else(|| unknown(app))?;
        app.limits.api.check(&hash)?;
        Ok(Self {
            token: row.id,
            script: row.script_id.unwrap_or(row.id),
        })
    }
}

/// The answer to a token that is unknown or revoked.
fn unknown(app: &App) -> Problem {
    metrics::counter!("canvass_api_tokens_refused_total").increment(1);
    if let Some(unsaid) = app.limits.told_of_tokens.now() {
        tracing::warn!(unsaid, "refused an API token that is unknown or revoked");
    }
    unauthorised()
}

fn unauthorised() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthorised",
        "A valid API token is required",
        "Send it as \"Authorization: Bearer …\"; `canvass api-token create` creates one.",
    )
    .wanting_token()
}
