//! What a mailing needs to be prepared in many commits, and to stop itself once when too many addresses do not exist.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0002_reliability",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // The fence rises with everybody who begins to prepare; a chunk under an older one is refused.
    "ALTER TABLE mailing ADD COLUMN prepare_fence BIGINT NOT NULL DEFAULT 0",
    // Until when the preparation is somebody's, by the database's clock; PostgreSQL only.
    "ALTER TABLE mailing ADD COLUMN prepare_until_ms BIGINT NOT NULL DEFAULT 0",
    // 1 once the mailing has stopped itself for its hard bounces: it does so only once.
    "ALTER TABLE mailing ADD COLUMN bounce_paused SMALLINT NOT NULL DEFAULT 0",
];
