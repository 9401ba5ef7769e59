//! `suppression`: Addresses that must not be mailed.

use sea_orm::entity::prelude::*;

use crate::types::UnixMillis;

/// A row of `suppression`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "suppression")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub address_hash: Vec<u8>,
    pub reason: i16,
    pub note: String,
    pub created_ms: UnixMillis,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
