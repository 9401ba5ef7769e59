//! `poll_record`: The state of a count when it came to rest.

use sea_orm::entity::prelude::*;

use crate::types::{PollId, UnixMillis};

/// A row of `poll_record`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "poll_record")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub poll_id: PollId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    pub at_ms: UnixMillis,
    pub entries: i64,
    pub ballots: i64,
    pub set_aside: i64,
    pub root: Vec<u8>,
    pub head: Vec<u8>,
    pub counters: Vec<u8>,
    pub hash: Vec<u8>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
