//! The first version had an index of kept answers by age, and a later step made another.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0026_one_age_index",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &["DROP INDEX idempotency_by_age"];
