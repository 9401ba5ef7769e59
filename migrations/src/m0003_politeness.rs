//! Daily counts for each relay, and batches that wait for one provider.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0003_politeness",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // How many mails nodes may hand over on a day (UTC, days since 1970); granted in blocks.
    "CREATE TABLE relay_day (
        relay TEXT NOT NULL,
        day BIGINT NOT NULL,
        granted BIGINT NOT NULL,
        PRIMARY KEY (relay, day)
    ) {clustered}",
    // The provider whose limits a batch waits for; empty: readers at any provider.
    "ALTER TABLE mail_batch ADD COLUMN provider TEXT NOT NULL DEFAULT ''",
    // Finds what is due, by issue and provider, without reading the batches themselves.
    "DROP INDEX mail_batch_due",
    "CREATE INDEX mail_batch_due ON mail_batch (issue_id, state, provider, not_before_ms)",
];
