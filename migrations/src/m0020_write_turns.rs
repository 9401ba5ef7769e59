//! The writers of one-statement transactions, and their progress.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0020_write_turns",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // One row for each writer of a process. Its statements are transactions of their own and increment `turn` from
    // an expected value. So it can be found out later whether one took effect, and none can take effect late.
    // at_ms: the time of the last one.
    "CREATE TABLE write_turn (
        writer TEXT NOT NULL PRIMARY KEY,
        turn BIGINT NOT NULL,
        at_ms BIGINT NOT NULL
    ) {clustered}",
];
