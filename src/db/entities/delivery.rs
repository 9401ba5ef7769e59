//! `delivery`: The ledger: one row for each reader attempted.

use sea_orm::entity::prelude::*;

use crate::types::{IssueId, ReaderId, UnixMillis};

/// A row of `delivery`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "delivery")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub issue_id: IssueId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub reader_id: ReaderId,
    pub state: i16,
    pub reason: i16,
    pub fence: i64,
    pub attempt: i64,
    pub at_ms: UnixMillis,
    pub code: i16,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
