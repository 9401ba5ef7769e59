//! `ballot_log`: The hash-chained log of all changes to ballots.

use sea_orm::entity::prelude::*;

use crate::types::{PollId, UnixMillis};

/// A row of `ballot_log`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ballot_log")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub poll_id: PollId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub slot: i64,
    #[sea_orm(primary_key, auto_increment = false)]
    pub seq: i64,
    pub at_ms: UnixMillis,
    pub entries: Vec<u8>,
    pub hash: Vec<u8>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
