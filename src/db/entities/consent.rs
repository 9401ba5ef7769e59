//! `consent`: The evidence of consent.

use sea_orm::entity::prelude::*;

use crate::types::{ConsentTextId, NewsletterId, ReaderId, UnixMillis};

/// A row of `consent`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "consent")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub reader_id: ReaderId,
    pub newsletter_id: NewsletterId,
    pub consent_text_id: ConsentTextId,
    pub page: String,
    pub source: String,
    pub requested_ms: UnixMillis,
    pub confirmed_ms: UnixMillis,
    pub withdrawn_ms: Option<UnixMillis>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
