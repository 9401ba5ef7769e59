//! `link_text`: Versions of the consent text for linking an answer to an address.

use sea_orm::entity::prelude::*;

use crate::types::UnixMillis;

/// A row of `link_text`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "link_text")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub sha256: Vec<u8>,
    pub body: String,
    pub created_ms: UnixMillis,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
