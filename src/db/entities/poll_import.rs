//! `poll_import`: Polls that were imported from another system.

use sea_orm::entity::prelude::*;

use crate::types::{PollId, UnixMillis};

/// A row of `poll_import`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "poll_import")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub source_key: String,
    pub poll_id: PollId,
    pub begun_ms: UnixMillis,
    pub done_ms: Option<UnixMillis>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
