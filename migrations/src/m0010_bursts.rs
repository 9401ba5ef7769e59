//! Bursts of answers that were set aside, and editors' decisions about them.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0010_bursts",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // state: 1 set aside, waiting for an editor; 2 counted after all; 3 removed, with a reason that readers see.
    // signs: a bit for each sign. choices: the choices of most of its ballots, encoded as in `ballot`.
    "CREATE TABLE poll_burst (
        id {id},
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        state SMALLINT NOT NULL,
        signs BIGINT NOT NULL,
        choices {blob} NOT NULL,
        ballots BIGINT NOT NULL DEFAULT 0,
        networks BIGINT NOT NULL,
        first_ms BIGINT NOT NULL,
        last_ms BIGINT NOT NULL,
        found_ms BIGINT NOT NULL,
        warned_ms BIGINT,
        reason TEXT NOT NULL DEFAULT '',
        decided_ms BIGINT,
        editor_id BIGINT
    )",
    "CREATE INDEX poll_burst_of ON poll_burst (poll_id, state)",
    // The removals that set its ballots aside, one for each pass of the watch.
    "CREATE TABLE poll_burst_removal (
        burst_id BIGINT NOT NULL REFERENCES poll_burst(id),
        number BIGINT NOT NULL,
        PRIMARY KEY (burst_id, number)
    ) {clustered}",
];
