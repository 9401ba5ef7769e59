//! `kept_count`: Cached counts of how many ballots say what, as of the last time editors looked.

use sea_orm::entity::prelude::*;

use crate::types::{PollId, UnixMillis};

/// A row of `kept_count`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "kept_count")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub poll_id: PollId,
    pub tier: i16,
    pub ballots: i64,
    pub counted_ms: UnixMillis,
    pub said: String,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
