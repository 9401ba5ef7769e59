//! `relay_day`: Mails a day through each relay.

use sea_orm::entity::prelude::*;

/// A row of `relay_day`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "relay_day")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub relay: String,
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: i64,
    pub granted: i64,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
