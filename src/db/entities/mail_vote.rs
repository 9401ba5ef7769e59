//! `mail_vote`: Visits by poll links in mails, and the ballots cast that way, as counters.

use sea_orm::entity::prelude::*;

use crate::types::{IssueId, PollId};

/// A row of `mail_vote`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mail_vote")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub poll_id: PollId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub issue_id: IssueId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub slot: i64,
    pub counted: i64,
    pub seen: i64,
    pub scanner: i64,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
