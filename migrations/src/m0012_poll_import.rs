//! Polls that were imported from another system.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0012_poll_import",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // source_key: a hash of the poll's identity there. done_ms NULL: not all of its ballots are imported yet.
    "CREATE TABLE poll_import (
        source_key TEXT NOT NULL PRIMARY KEY,
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        begun_ms BIGINT NOT NULL,
        done_ms BIGINT
    )",
];
