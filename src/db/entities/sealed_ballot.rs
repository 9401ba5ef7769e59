//! `sealed_ballot`: How many ballots of a sealed poll have the same choices.

use sea_orm::entity::prelude::*;

use crate::types::PollId;

/// A row of `sealed_ballot`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sealed_ballot")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub poll_id: PollId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub choices: Vec<u8>,
    #[sea_orm(primary_key, auto_increment = false)]
    pub tier: i16,
    #[sea_orm(primary_key, auto_increment = false)]
    pub set_aside: i16,
    pub n: i64,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
