//! `link_export`: Who exported linked answers.

use sea_orm::entity::prelude::*;

use crate::types::{ApiTokenId, EditorId, PollId, UnixMillis};

/// A row of `link_export`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "link_export")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub poll_id: PollId,
    pub editor_id: EditorId,
    pub format: String,
    pub readers: i64,
    pub at_ms: UnixMillis,
    pub token_id: Option<ApiTokenId>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
