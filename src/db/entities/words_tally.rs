//! `words_tally`: What readers wrote beside "Other".

use sea_orm::entity::prelude::*;

use crate::types::{OptionId, PollId};

/// A row of `words_tally`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "words_tally")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub poll_id: PollId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub option_id: OptionId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub words_key: Vec<u8>,
    #[sea_orm(primary_key, auto_increment = false)]
    pub tier: i16,
    #[sea_orm(primary_key, auto_increment = false)]
    pub slot: i64,
    pub written: String,
    pub n: i64,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
