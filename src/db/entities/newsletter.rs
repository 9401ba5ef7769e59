//! `newsletter`: Newsletters.

use sea_orm::entity::prelude::*;

use crate::types::{NewsletterId, UnixMillis};

/// A row of `newsletter`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "newsletter")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: NewsletterId,
    pub slug: String,
    pub name: String,
    pub description: String,
    pub from_name: String,
    pub from_address: String,
    pub reply_to: Option<String>,
    pub postal_address: String,
    pub time_zone: String,
    pub language: String,
    pub accent: String,
    pub archive: i16,
    pub created_ms: UnixMillis,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
