//! Responses stored for repeated API writes expire by age.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0024_idempotency_age",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &["CREATE INDEX idempotency_by_age ON idempotency (created_ms)"];
