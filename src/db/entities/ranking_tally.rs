//! `ranking_tally`: The counts from which instant run-offs are computed.

use sea_orm::entity::prelude::*;

use crate::types::PollId;

/// A row of `ranking_tally`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ranking_tally")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub poll_id: PollId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub question: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub ranking: Vec<u8>,
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
