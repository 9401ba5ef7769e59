//! `ballot_removal`: Ballots that editors set aside.

use sea_orm::entity::prelude::*;

use crate::types::{EditorId, PollId, UnixMillis};

/// A row of `ballot_removal`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ballot_removal")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub poll_id: PollId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    pub at_ms: UnixMillis,
    pub reason: String,
    pub ballots: i64,
    pub editor_id: Option<EditorId>,
    pub undone_ms: Option<UnixMillis>,
    pub gone: Option<i64>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
