//! Who writes whole transactions in one statement, and how far it has come.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0020_write_turns",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // One row for each writer of a process. Its statements are transactions of their own and raise `turn` from a value that
    // they expect: so it is known afterwards whether one of them stands, and none can come late. at_ms: the last of them.
    "CREATE TABLE write_turn (
        writer TEXT NOT NULL PRIMARY KEY,
        turn BIGINT NOT NULL,
        at_ms BIGINT NOT NULL
    ) {clustered}",
];
