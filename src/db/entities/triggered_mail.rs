//! `triggered_mail`: When a mail that anybody can trigger was sent to an address.

use sea_orm::entity::prelude::*;

use crate::types::UnixMillis;

/// A row of `triggered_mail`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "triggered_mail")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub address_hash: Vec<u8>,
    #[sea_orm(primary_key, auto_increment = false)]
    pub sent_ms: UnixMillis,
    pub newsletter_id: Option<i64>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
