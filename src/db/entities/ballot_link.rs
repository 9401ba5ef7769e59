//! `ballot_link`: Answers that readers agreed to have linked to their address.

use sea_orm::entity::prelude::*;

use crate::types::{PollId, ReaderId, UnixMillis};

/// A row of `ballot_link`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ballot_link")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub poll_id: PollId,
    #[sea_orm(primary_key, auto_increment = false)]
    pub reader_id: ReaderId,
    pub choices: Vec<u8>,
    pub link_text_id: i64,
    pub agreed_ms: UnixMillis,
    pub linked_ms: UnixMillis,
    pub changed_ms: UnixMillis,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
