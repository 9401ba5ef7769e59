//! `issue`: The editors' part of an issue: text and schedule.

use sea_orm::entity::prelude::*;

use crate::types::{EditorId, IssueId, NewsletterId, PollId, UnixMillis};

/// A row of `issue`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "issue")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: IssueId,
    pub newsletter_id: NewsletterId,
    pub slug: String,
    pub subject: String,
    pub preheader: String,
    pub body: String,
    pub state: i16,
    pub revision: i64,
    pub editor_id: Option<EditorId>,
    pub scheduled_ms: Option<UnixMillis>,
    pub scheduled_local: Option<String>,
    pub time_zone: Option<String>,
    pub held_reason: String,
    pub created_ms: UnixMillis,
    pub updated_ms: UnixMillis,
    pub handed_ms: Option<UnixMillis>,
    pub sample_poll_id: Option<PollId>,
    pub sample_round: i16,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
