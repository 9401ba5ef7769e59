//! `dkim_key`: The keys that sign mails.

use sea_orm::entity::prelude::*;

use crate::types::UnixMillis;

/// A row of `dkim_key`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "dkim_key")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub domain: String,
    pub selector: String,
    pub algorithm: i16,
    pub sealed: String,
    pub public_key: String,
    pub state: i16,
    pub created_ms: UnixMillis,
    pub activated_ms: UnixMillis,
    pub stopped_ms: UnixMillis,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
