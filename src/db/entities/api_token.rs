//! `api_token`: Tokens of scripts, hashed.

use sea_orm::entity::prelude::*;

use crate::types::{ApiTokenId, UnixMillis};

/// A row of `api_token`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_token")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: ApiTokenId,
    pub name: String,
    pub token_hash: Vec<u8>,
    pub created_ms: UnixMillis,
    pub revoked_ms: Option<UnixMillis>,
    pub script_id: Option<ApiTokenId>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
