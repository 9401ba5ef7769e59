//! `poll_step`: How many readers reached each step: saw the poll, asked for the newsletter, confirmed.

use sea_orm::entity::prelude::*;

use crate::types::PollId;

/// A row of `poll_step`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "poll_step")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub poll_id: PollId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub step: i16,
    #[sea_orm(primary_key, auto_increment = false)]
    pub source: i16,
    #[sea_orm(primary_key, auto_increment = false)]
    pub slot: i64,
    pub n: i64,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
