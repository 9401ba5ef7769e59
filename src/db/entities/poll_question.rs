//! `poll_question`: Questions of polls.

use sea_orm::entity::prelude::*;

use crate::types::{PollId, QuestionId};

/// A row of `poll_question`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "poll_question")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: QuestionId,
    pub poll_id: PollId,
    pub position: i64,
    pub wording: String,
    pub kind: i16,
    pub required: i16,
    pub min_choices: i64,
    pub max_choices: i64,
    pub ordering: i16,
    pub scale_from: Option<i64>,
    pub low_label: String,
    pub high_label: String,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
