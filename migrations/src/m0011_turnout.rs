//! When readers answered, and which step they reached: counters beside the tally.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0011_turnout",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // First ballots by hour, changed in the same commit as the ballot.
    "CREATE TABLE poll_hour (
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        hour_ms BIGINT NOT NULL,
        tier SMALLINT NOT NULL,
        slot BIGINT NOT NULL,
        n BIGINT NOT NULL,
        PRIMARY KEY (poll_id, hour_ms, tier, slot)
    ) {clustered}",
    // step: 1 the poll was shown, 2 the newsletter beside it was requested, 3 the request was confirmed. source: as
    // in `ballot`. Displays are counted in memory and added periodically.
    "CREATE TABLE poll_step (
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        step SMALLINT NOT NULL,
        source SMALLINT NOT NULL,
        slot BIGINT NOT NULL,
        n BIGINT NOT NULL,
        PRIMARY KEY (poll_id, step, source, slot)
    ) {clustered}",
    // The poll beside which the newsletter was requested, until the request is purged.
    "ALTER TABLE subscription_request ADD COLUMN poll_id BIGINT",
];
