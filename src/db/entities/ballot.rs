//! `ballot`: One reader, one ballot.

use sea_orm::entity::prelude::*;

use crate::types::{PollId, UnixMillis};

/// A row of `ballot`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ballot")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub poll_id: PollId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub voter_key: Vec<u8>,
    pub choices: Vec<u8>,
    pub tier: i16,
    pub source: i16,
    pub network: Option<Vec<u8>>,
    pub cast_ms: UnixMillis,
    pub changed_ms: UnixMillis,
    pub revision: i64,
    pub removed: Option<i64>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
