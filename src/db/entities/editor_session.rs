//! `editor_session`: Signed-in browsers.

use sea_orm::entity::prelude::*;

use crate::types::{EditorId, UnixMillis};

/// A row of `editor_session`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "editor_session")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_hash: Vec<u8>,
    pub editor_id: EditorId,
    pub created_ms: UnixMillis,
    pub expires_ms: UnixMillis,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
