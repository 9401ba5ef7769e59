//! What came back of the mails that were sent.

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
        db.execute_unprepared(&TABLE.replace("{clustered}", clustered))
            .await
            .map(drop)
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Migration(
            "the bounces cannot be dropped: restore a backup instead".into(),
        ))
    }
}

// One row for each thing that was said of a mail: the same said twice is one.
// kind: 1 no such address, 2 no such domain, 3 soft, 4 about us, 5 complaint, 6 opt-out.
const TABLE: &str = "CREATE TABLE bounce (
        reader_id BIGINT NOT NULL,
        issue_id BIGINT NOT NULL,
        kind SMALLINT NOT NULL,
        status TEXT NOT NULL DEFAULT '',
        at_ms BIGINT NOT NULL,
        PRIMARY KEY (reader_id, issue_id, kind)
    ) {clustered}";
