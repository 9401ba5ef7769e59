//! `poll_burst_removal`: Which removals hold the ballots of a burst.

use sea_orm::entity::prelude::*;

use crate::types::BurstId;

/// A row of `poll_burst_removal`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "poll_burst_removal")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub burst_id: BurstId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
