//! `write_turn`: The progress of each writer of single statements.

use sea_orm::entity::prelude::*;

use crate::types::UnixMillis;

/// A row of `write_turn`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "write_turn")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub writer: String,
    pub turn: i64,
    pub at_ms: UnixMillis,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
