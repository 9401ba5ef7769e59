//! `poll_option`: Options of questions.

use sea_orm::entity::prelude::*;

use crate::types::{OptionId, PollId, QuestionId, UnixMillis};

/// A row of `poll_option`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "poll_option")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: OptionId,
    pub poll_id: PollId,
    pub question_id: QuestionId,
    pub position: i64,
    pub label: String,
    pub retired_ms: Option<UnixMillis>,
    pub role: i16,
    pub picture: Option<String>,
    pub picture_alt: String,
    pub picture_width: Option<i64>,
    pub picture_height: Option<i64>,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
