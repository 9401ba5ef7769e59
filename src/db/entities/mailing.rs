//! `mailing`: The mailer's part of an issue: state, edition, audience.

use sea_orm::entity::prelude::*;

use crate::types::{IssueId, NewsletterId, UnixMillis};

/// A row of `mailing`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mailing")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub issue_id: IssueId,
    pub newsletter_id: NewsletterId,
    pub state: i16,
    pub edition: Vec<u8>,
    pub audience: i64,
    pub not_before_ms: UnixMillis,
    pub expires_ms: UnixMillis,
    pub frozen_ms: UnixMillis,
    pub started_ms: Option<UnixMillis>,
    pub finished_ms: Option<UnixMillis>,
    pub reason: String,
    pub prepare_fence: i64,
    pub prepare_until_ms: UnixMillis,
    pub bounce_paused: i16,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
