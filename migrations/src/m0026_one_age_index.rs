//! The first version had an index on the age of stored responses, and a later step created another one.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0026_one_age_index",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &["DROP INDEX idempotency_by_age"];
