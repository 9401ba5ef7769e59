//! `subscription`: Who gets which newsletter.

use sea_orm::entity::prelude::*;

use crate::types::{NewsletterId, ReaderId, UnixMillis};

/// A row of `subscription`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "subscription")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub newsletter_id: NewsletterId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub reader_id: ReaderId,
    pub state: i16,
    pub confirmed_ms: UnixMillis,
    pub changed_ms: UnixMillis,
    pub reason: String,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
