//! `poll_sample`: Random samples of confirmed subscribers.

use sea_orm::entity::prelude::*;

use crate::types::{EditorId, NewsletterId, PollId, UnixMillis};

/// A row of `poll_sample`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "poll_sample")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub poll_id: PollId,
    pub beside_poll_id: Option<PollId>,
    pub newsletter_id: NewsletterId,
    pub seed: String,
    pub population: i64,
    pub frame: Vec<u8>,
    pub frame_sha256: Vec<u8>,
    pub readers: Vec<u8>,
    pub drawn_ms: UnixMillis,
    pub editor_id: Option<EditorId>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
