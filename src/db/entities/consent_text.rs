//! `consent_text`: Versions of the words a reader agrees to.

use sea_orm::entity::prelude::*;

use crate::types::{ConsentTextId, NewsletterId, UnixMillis};

/// A row of `consent_text`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "consent_text")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: ConsentTextId,
    pub newsletter_id: NewsletterId,
    pub version: i64,
    pub body: String,
    pub created_ms: UnixMillis,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
