//! A token that replaces another one speaks for the same script: voters it names and Idempotency-Keys it used remain
//! the same. `script_id` is the number of the script's first token; NULL: it is the first.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0031_replaced_tokens",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &["ALTER TABLE api_token ADD COLUMN script_id BIGINT"];
