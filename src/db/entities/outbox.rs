//! `outbox`: Single mails.

use sea_orm::entity::prelude::*;

use crate::types::{OutboxId, UnixMillis};

/// A row of `outbox`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: OutboxId,
    pub priority: i16,
    pub template: String,
    pub payload: String,
    pub message_id: String,
    pub state: i16,
    pub not_before_ms: UnixMillis,
    pub expires_ms: UnixMillis,
    pub attempt: i64,
    pub fence: i64,
    pub lease_until_ms: UnixMillis,
    pub worker: String,
    pub reply: String,
    pub created_ms: UnixMillis,
    pub finished_ms: Option<UnixMillis>,
    pub address_hash: Option<Vec<u8>>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
