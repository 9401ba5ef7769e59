//! Mails a day through each relay, and batches that wait for one provider.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

#[derive(DeriveMigrationName)]
pub struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let clustered = match db.get_database_backend() {
            DbBackend::Postgres => "",
            _ => "WITHOUT ROWID",
        };
        for statement in STATEMENTS {
            db.execute_unprepared(&statement.replace("{clustered}", clustered))
                .await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration(
            "this cannot be undone: restore a backup instead".into(),
        ))
    }
}

const STATEMENTS: &[&str] = &[
    // What nodes may hand over on a day (UTC, days since 1970); granted in blocks.
    "CREATE TABLE relay_day (
        relay TEXT NOT NULL,
        day BIGINT NOT NULL,
        granted BIGINT NOT NULL,
        PRIMARY KEY (relay, day)
    ) {clustered}",
    // The provider whose limits a batch waits for; empty: readers of all kinds.
    "ALTER TABLE mail_batch ADD COLUMN provider TEXT NOT NULL DEFAULT ''",
    // What is due, by issue and provider, without a look at the batches themselves.
    "DROP INDEX mail_batch_due",
    "CREATE INDEX mail_batch_due ON mail_batch (issue_id, state, provider, not_before_ms)",
];
