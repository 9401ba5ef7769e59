//! Polls whose tables editors no longer see once the key is destroyed: the last count that they saw (`kept_count`)
//! differs by a few ballots, and beside the final one would reveal what these said. 1: so.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0032_withheld_tables",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] =
    &["ALTER TABLE poll ADD COLUMN tables_withheld SMALLINT NOT NULL DEFAULT 0"];
