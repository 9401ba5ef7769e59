//! `delivery_attempt`: The replies of mail servers.

use sea_orm::entity::prelude::*;

use crate::types::{IssueId, ReaderId, UnixMillis};

/// A row of `delivery_attempt`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "delivery_attempt")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub issue_id: IssueId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub reader_id: ReaderId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub attempt: i64,
    pub at_ms: UnixMillis,
    pub state: i16,
    pub code: i16,
    pub enhanced: String,
    pub reply: String,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
