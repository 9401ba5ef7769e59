//! `captured_mail`: The built-in mailbox.

use sea_orm::entity::prelude::*;

use crate::types::{CapturedMailId, UnixMillis};

/// A row of `captured_mail`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "captured_mail")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: CapturedMailId,
    pub envelope_from: String,
    pub envelope_to: String,
    pub subject: String,
    pub raw: Vec<u8>,
    pub captured_ms: UnixMillis,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
