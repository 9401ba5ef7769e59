//! `editor_invite`: One-time links that set a password.

use sea_orm::entity::prelude::*;

use crate::types::{EditorId, UnixMillis};

/// A row of `editor_invite`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "editor_invite")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub token_hash: Vec<u8>,
    pub editor_id: EditorId,
    pub created_ms: UnixMillis,
    pub expires_ms: UnixMillis,
    pub used_ms: Option<UnixMillis>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
