//! Polls that were carried over from another system.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0012_poll_import",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // source_key: a hash of what the poll is known by there. done_ms NULL: its ballots are not all in yet.
    "CREATE TABLE poll_import (
        source_key TEXT NOT NULL PRIMARY KEY,
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        begun_ms BIGINT NOT NULL,
        done_ms BIGINT
    )",
];
