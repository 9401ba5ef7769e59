//! `poll`: Polls.

use sea_orm::entity::prelude::*;

use crate::types::{NewsletterId, PollId, UnixMillis};

/// A row of `poll`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "poll")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: PollId,
    pub slug: String,
    pub title: String,
    pub intro: String,
    pub state: i16,
    pub visibility: i16,
    pub linked: i16,
    pub headline_tier: i16,
    pub newsletter_id: Option<NewsletterId>,
    pub opens_ms: Option<UnixMillis>,
    pub closes_ms: Option<UnixMillis>,
    pub time_zone: String,
    pub secret: Option<Vec<u8>>,
    pub revision: i64,
    pub created_ms: UnixMillis,
    pub updated_ms: UnixMillis,
    pub closed_ms: Option<UnixMillis>,
    pub sealed_ms: Option<UnixMillis>,
    pub unchained: i16,
    pub scrubbed_ms: Option<UnixMillis>,
    pub link_text_id: Option<i64>,
    pub tables_withheld: i16,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
