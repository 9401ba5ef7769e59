//! `bounce`: Bounces of mails that were sent.

use sea_orm::entity::prelude::*;

use crate::types::UnixMillis;

/// A row of `bounce`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "bounce")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub reader_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub issue_id: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: i16,
    pub status: String,
    pub at_ms: UnixMillis,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
