//! `reader`: People with an address, confirmed at least once or imported.

use sea_orm::entity::prelude::*;

use crate::types::{ReaderId, UnixMillis};

/// A row of `reader`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reader")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: ReaderId,
    pub email_key: String,
    pub email: String,
    pub name: String,
    pub time_zone: Option<String>,
    pub created_ms: UnixMillis,
    pub erased_ms: Option<UnixMillis>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
