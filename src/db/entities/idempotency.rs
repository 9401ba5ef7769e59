//! `idempotency`: Answers kept for repeated API writes.

use sea_orm::entity::prelude::*;

use crate::types::{ApiTokenId, UnixMillis};

/// A row of `idempotency`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_id: ApiTokenId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub idempotency_key: String,
    pub request_hash: Vec<u8>,
    pub status: i16,
    pub body: String,
    pub created_ms: UnixMillis,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
