//! `subscription_request`: Requests that wait for confirmation.

use sea_orm::entity::prelude::*;

use crate::types::{ConsentTextId, NewsletterId, PollId, UnixMillis};

/// A row of `subscription_request`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "subscription_request")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub token_hash: Vec<u8>,
    pub newsletter_id: NewsletterId,
    pub email_key: String,
    pub email: String,
    pub name: String,
    pub consent_text_id: ConsentTextId,
    pub page: String,
    pub source: String,
    pub created_ms: UnixMillis,
    pub expires_ms: UnixMillis,
    pub confirmed_ms: Option<UnixMillis>,
    pub poll_id: Option<PollId>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
