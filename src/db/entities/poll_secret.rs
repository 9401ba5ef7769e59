//! `poll_secret`: The key from which a poll's voter keys are derived, until it is destroyed.

use sea_orm::entity::prelude::*;

use crate::types::PollId;

/// A row of `poll_secret`; the columns are explained in the migration.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "poll_secret")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub poll_id: PollId,
    pub secret: Vec<u8>,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model")
            .field("poll_id", &self.poll_id)
            .finish_non_exhaustive()
    }
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
