//! `poll_burst`: Bursts of answers that look like those of one person or one program.

use sea_orm::entity::prelude::*;

use crate::types::{BurstId, EditorId, PollId, UnixMillis};

/// A row of `poll_burst`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "poll_burst")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: BurstId,
    pub poll_id: PollId,
    pub state: i16,
    pub signs: i64,
    pub choices: Vec<u8>,
    pub ballots: i64,
    pub networks: i64,
    pub first_ms: UnixMillis,
    pub last_ms: UnixMillis,
    pub found_ms: UnixMillis,
    pub warned_ms: Option<UnixMillis>,
    pub reason: String,
    pub decided_ms: Option<UnixMillis>,
    pub editor_id: Option<EditorId>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
