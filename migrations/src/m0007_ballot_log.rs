//! The log of ballots, the ballots that editors set aside, and the record of a count.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0007_ballot_log",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // One page for each poll that a commit touched: the ballots added, changed and set aside. slot: the stripe of
    // the writer; each has a chain of its own, so that nodes do not wait for each other. hash covers the page and
    // the previous hash.
    "CREATE TABLE ballot_log (
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        slot BIGINT NOT NULL,
        seq BIGINT NOT NULL,
        at_ms BIGINT NOT NULL,
        entries {blob} NOT NULL,
        hash {blob} NOT NULL,
        PRIMARY KEY (poll_id, slot, seq)
    )",
    // The last page of each chain; nodes with the same slot queue for this row.
    "CREATE TABLE ballot_chain (
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        slot BIGINT NOT NULL,
        seq BIGINT NOT NULL,
        hash {blob} NOT NULL,
        PRIMARY KEY (poll_id, slot)
    ) {clustered}",
    // Ballots that editors set aside, with the reason shown to readers. undone_ms: when they were restored.
    "CREATE TABLE ballot_removal (
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        number BIGINT NOT NULL,
        at_ms BIGINT NOT NULL,
        reason TEXT NOT NULL,
        ballots BIGINT NOT NULL,
        editor_id BIGINT,
        undone_ms BIGINT,
        PRIMARY KEY (poll_id, number)
    ) {clustered}",
    // The state of the count each time it came to rest: at the close, after ballots were set aside, at the sealing.
    // root: the ballots in key order. head: the ends of all chains. counters: the tally and the places.
    "CREATE TABLE poll_record (
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        number BIGINT NOT NULL,
        at_ms BIGINT NOT NULL,
        entries BIGINT NOT NULL,
        ballots BIGINT NOT NULL,
        set_aside BIGINT NOT NULL,
        root {blob} NOT NULL,
        head {blob} NOT NULL,
        counters {blob} NOT NULL,
        hash {blob} NOT NULL,
        PRIMARY KEY (poll_id, number)
    ) {clustered}",
    // closed_ms: when it was first found closed by its time. A clock that is set back does not reopen it.
    "ALTER TABLE poll ADD COLUMN closed_ms BIGINT",
    // sealed_ms: when the secret was destroyed, and with it everything that could link a ballot to a reader.
    "ALTER TABLE poll ADD COLUMN sealed_ms BIGINT",
    // 1: it has ballots from before the log existed; the next start adds them.
    "ALTER TABLE poll ADD COLUMN unchained SMALLINT NOT NULL DEFAULT 0",
    // The removal that set the ballot aside; such a ballot is kept but not counted.
    "ALTER TABLE ballot ADD COLUMN removed BIGINT",
    "UPDATE poll SET unchained = 1 WHERE id IN (SELECT poll_id FROM ballot)",
];
