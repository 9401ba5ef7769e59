//! The schema of Canvass, as an append-only list of migrations.
//!
//! Rules: a released migration is never edited; each must work on tables with rows, on SQLite and on PostgreSQL;
//! times are integer milliseconds, ids are `BIGINT`; hot tables have no secondary index that they do not need.
//! Migrations run under a lock and inside one transaction (see `canvass::db::migrate`), so a failed one leaves
//! nothing behind.

mod m0001_foundation;
mod m0002_reliability;
mod m0003_politeness;
mod m0004_dkim;
mod m0005_orders;
mod m0006_bounces;
mod m0007_ballot_log;
mod m0008_questions;
mod m0009_mail_votes;
mod m0010_bursts;
mod m0011_turnout;
mod m0012_poll_import;
mod m0013_sealing;
mod m0015_sample;
mod m0016_linked;
mod m0020_write_turns;
mod m0022_link_export_scripts;
mod m0024_idempotency_age;
mod m0025_kept_counts;
mod m0026_one_age_index;
mod m0028_outbox_addressee;
mod m0029_requests_and_caps;
mod m0030_ballots_of_polls;
mod m0031_replaced_tokens;
mod m0032_withheld_tables;
mod statements;

pub use sea_orm_migration::{MigrationTrait, MigratorTrait};

/// The migrations, oldest first.
pub struct Migrator;

#[sea_orm_migration::async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_foundation::MIGRATION),
            Box::new(m0002_reliability::MIGRATION),
            Box::new(m0003_politeness::MIGRATION),
            Box::new(m0004_dkim::MIGRATION),
            Box::new(m0005_orders::MIGRATION),
            Box::new(m0006_bounces::MIGRATION),
            Box::new(m0007_ballot_log::MIGRATION),
            Box::new(m0008_questions::MIGRATION),
            Box::new(m0009_mail_votes::MIGRATION),
            Box::new(m0010_bursts::MIGRATION),
            Box::new(m0011_turnout::MIGRATION),
            Box::new(m0012_poll_import::MIGRATION),
            Box::new(m0015_sample::MIGRATION),
            Box::new(m0020_write_turns::MIGRATION),
            Box::new(m0013_sealing::MIGRATION),
            Box::new(m0016_linked::MIGRATION),
            Box::new(m0022_link_export_scripts::MIGRATION),
            Box::new(m0024_idempotency_age::MIGRATION),
            Box::new(m0025_kept_counts::MIGRATION),
            Box::new(m0026_one_age_index::MIGRATION),
            Box::new(m0028_outbox_addressee::MIGRATION),
            Box::new(m0029_requests_and_caps::MIGRATION),
            Box::new(m0030_ballots_of_polls::MIGRATION),
            Box::new(m0031_replaced_tokens::MIGRATION),
            Box::new(m0032_withheld_tables::MIGRATION),
        ]
    }
}
