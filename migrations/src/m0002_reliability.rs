//! Lets a mailing be prepared in many commits, and stop itself once if too many addresses do not exist.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0002_reliability",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // Whoever begins to prepare increments the fence; a chunk with an older one is refused.
    "ALTER TABLE mailing ADD COLUMN prepare_fence BIGINT NOT NULL DEFAULT 0",
    // The end of the lease on the preparation, by the database's clock; PostgreSQL only.
    "ALTER TABLE mailing ADD COLUMN prepare_until_ms BIGINT NOT NULL DEFAULT 0",
    // 1 once the mailing has paused itself because of hard bounces, which it does only once.
    "ALTER TABLE mailing ADD COLUMN bounce_paused SMALLINT NOT NULL DEFAULT 0",
];
