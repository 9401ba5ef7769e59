//! What a mailing needs to be prepared in many commits, and to stop itself once when too many addresses do not exist.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::ConnectionTrait;

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        for sql in COLUMNS {
            db.execute_unprepared(sql).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration(
            "a mailing may be in preparation: restore a backup instead".into(),
        ))
    }
}

const COLUMNS: &[&str] = &[
    // The fence rises with everybody who begins to prepare; a chunk under an older one is refused.
    "ALTER TABLE mailing ADD COLUMN prepare_fence BIGINT NOT NULL DEFAULT 0",
    // Until when the preparation is somebody's, by the database's clock; PostgreSQL only.
    "ALTER TABLE mailing ADD COLUMN prepare_until_ms BIGINT NOT NULL DEFAULT 0",
    // 1 once the mailing has stopped itself for its hard bounces: it does so only once.
    "ALTER TABLE mailing ADD COLUMN bounce_paused SMALLINT NOT NULL DEFAULT 0",
];
