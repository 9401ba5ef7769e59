//! `issue_segment`: Issues for the readers who chose certain answers of a linked poll.

use sea_orm::entity::prelude::*;

use crate::types::{IssueId, PollId};

/// A row of `issue_segment`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "issue_segment")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub issue_id: IssueId,
    pub poll_id: PollId,
    pub options: Vec<u8>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
