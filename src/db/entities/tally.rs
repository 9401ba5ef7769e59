//! `tally`: The counts that results are read from.

use sea_orm::entity::prelude::*;

use crate::types::{OptionId, PollId};

/// A row of `tally`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "tally")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub poll_id: PollId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub option_id: OptionId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub tier: i16,
    #[sea_orm(primary_key, auto_increment = false)]
    pub slot: i64,
    pub n: i64,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
