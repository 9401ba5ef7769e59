//! The destruction of everything that could link a ballot to a reader.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0013_sealing",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // The key of a poll's voter keys, in a table of its own: it is written once, never changed, and destroyed some
    // days after the close. poll.secret is empty from now on.
    "CREATE TABLE poll_secret (
        poll_id BIGINT NOT NULL PRIMARY KEY REFERENCES poll(id),
        secret {blob} NOT NULL
    ) {clustered}",
    "INSERT INTO poll_secret (poll_id, secret) SELECT id, secret FROM poll WHERE secret IS NOT NULL",
    "UPDATE poll SET secret = NULL",
    // What remains of the ballots of a sealed poll: the number of ballots with the same choices. choices: as in
    // `ballot`, without free texts. set_aside: 1 for ballots that an editor or the watch had set aside.
    "CREATE TABLE sealed_ballot (
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        choices {blob} NOT NULL,
        tier SMALLINT NOT NULL,
        set_aside SMALLINT NOT NULL,
        n BIGINT NOT NULL,
        PRIMARY KEY (poll_id, choices, tier, set_aside)
    ) {clustered}",
    // From now on closed_ms is also set when an editor closes a poll. scrubbed_ms: when the destroyed data was gone
    // from all files.
    "UPDATE poll SET closed_ms = updated_ms WHERE state = 2 AND closed_ms IS NULL",
    "ALTER TABLE poll ADD COLUMN scrubbed_ms BIGINT",
];
