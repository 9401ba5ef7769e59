//! `editor`: People who sign in.

use sea_orm::entity::prelude::*;

use crate::types::{EditorId, UnixMillis};

/// A row of `editor`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "editor")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: EditorId,
    pub email_key: String,
    pub email: String,
    pub name: String,
    pub password_hash: Option<String>,
    pub created_ms: UnixMillis,
    pub disabled_ms: Option<UnixMillis>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
