//! `mail_batch`: Parts of a frozen audience.

use sea_orm::entity::prelude::*;

use crate::types::{BatchId, IssueId, UnixMillis};

/// A row of `mail_batch`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mail_batch")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: BatchId,
    pub issue_id: IssueId,
    pub lo: i64,
    pub hi: i64,
    pub readers: Vec<u8>,
    pub state: i16,
    pub attempt: i64,
    pub not_before_ms: UnixMillis,
    pub fence: i64,
    pub worker: String,
    pub lease_until_ms: UnixMillis,
    /// No longer written: crashes are counted for each recipient.
    pub crashes: i64,
    pub provider: String,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
