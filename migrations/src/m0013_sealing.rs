//! Destroying what could join a ballot to a reader.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0013_sealing",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // The key of a poll's voter keys, in a table of its own: it is written once, never changed, and destroyed some days after the
    // close. poll.secret is empty from now on.
    "CREATE TABLE poll_secret (
        poll_id BIGINT NOT NULL PRIMARY KEY REFERENCES poll(id),
        secret {blob} NOT NULL
    ) {clustered}",
    "INSERT INTO poll_secret (poll_id, secret) SELECT id, secret FROM poll WHERE secret IS NOT NULL",
    "UPDATE poll SET secret = NULL",
    // What is left of the ballots of a sealed poll: how many say what. choices: as in ballot, without the readers' own words.
    // set_aside: 1 for those that an editor or the watch had set aside.
    "CREATE TABLE sealed_ballot (
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        choices {blob} NOT NULL,
        tier SMALLINT NOT NULL,
        set_aside SMALLINT NOT NULL,
        n BIGINT NOT NULL,
        PRIMARY KEY (poll_id, choices, tier, set_aside)
    ) {clustered}",
    // closed_ms is from now on also when an editor closed it. scrubbed_ms: when no file held any more what was destroyed.
    "UPDATE poll SET closed_ms = updated_ms WHERE state = 2 AND closed_ms IS NULL",
    "ALTER TABLE poll ADD COLUMN scrubbed_ms BIGINT",
];
