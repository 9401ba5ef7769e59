//! API tokens: made by `canvass api-token create`, shown once, stored hashed.

use axum::extract::FromRequestParts;
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::request::Parts;
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{ActiveModelTrait, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};

use crate::app::App;
use crate::db::entities::api_token;
use crate::types::token::{random_token, token_hash};
use crate::types::{ApiTokenId, Secret};
use crate::web::Problem;

/// A script that showed a valid token.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The token it showed.
    pub token: ApiTokenId,
}

/// Makes a token. The text is not stored: this is the only time it can be read.
///
/// # Errors
/// What the database said.
pub async fn create(app: &App, name: &str) -> Result<Secret, DbErr> {
    let text = format!(
        "cvs_{}{}",
        random_token(&app.random),
        random_token(&app.random)
    );
    let txn = app.db.write_txn("api-token").await?;
    api_token::ActiveModel {
        id: NotSet,
        name: Set(name.into()),
        token_hash: Set(token_hash(&text)),
        created_ms: Set(app.clock.now()),
        revoked_ms: Set(None),
    }
    .insert(&*txn)
    .await?;
    txn.commit().await?;
    Ok(Secret::new(text))
}

/// The name that a token was made with.
///
/// # Errors
/// What the database said.
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
            .ok_or_else(unauthorised)?;
        app.limits.api.check(&hash)?;
        Ok(Self { token: row.id })
    }
}

fn unauthorised() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "unauthorised",
        "A valid API token is needed",
        "Send it as \"Authorization: Bearer …\"; `canvass api-token create` makes one.",
    )
}
