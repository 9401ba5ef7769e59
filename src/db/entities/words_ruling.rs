//! `words_ruling`: What editors decided about readers' own words.

use sea_orm::entity::prelude::*;

use crate::types::{EditorId, OptionId, PollId, UnixMillis};

/// A row of `words_ruling`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "words_ruling")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub poll_id: PollId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub option_id: OptionId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub words_key: Vec<u8>,
    pub ruling: i16,
    pub shown: String,
    pub editor_id: Option<EditorId>,
    pub ruled_ms: UnixMillis,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
