//! `mailing_order`: What editors ordered for an issue that is being sent, and who did.

use sea_orm::entity::prelude::*;

use crate::types::{IssueId, UnixMillis};

/// A row of `mailing_order`; the columns are explained in the migration.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mailing_order")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    pub issue_id: IssueId,
    pub kind: i16,
    pub who: String,
    pub recipients: i64,
    pub detail: String,
    pub at_ms: UnixMillis,
}

/// None are declared: joins are written where they are needed.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
