//! The log of the ballot box, what editors set aside, and the record of a count.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0007_ballot_log",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // One page for each poll that a commit touched: what was put in, changed, set aside. slot: the node that wrote it; each
    // has a chain of its own, so that nodes do not wait for each other. hash covers the page and the hash before it.
    "CREATE TABLE ballot_log (
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        slot BIGINT NOT NULL,
        seq BIGINT NOT NULL,
        at_ms BIGINT NOT NULL,
        entries {blob} NOT NULL,
        hash {blob} NOT NULL,
        PRIMARY KEY (poll_id, slot, seq)
    )",
    // The last page of each chain; its row is what nodes of one slot queue at.
    "CREATE TABLE ballot_chain (
        poll_id BIGINT NOT NULL REFERENCES poll(id),
        slot BIGINT NOT NULL,
        seq BIGINT NOT NULL,
        hash {blob} NOT NULL,
        PRIMARY KEY (poll_id, slot)
    ) {clustered}",
    // Ballots that editors set aside, with the reason readers see. undone_ms: given back.
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
    // The state of the count whenever it came to rest: at the close, after something was set aside, at the sealing.
    // root: the ballots in the order of their keys. head: the ends of all chains. counters: the tally and the places.
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
    // closed_ms: when it was first seen closed by its time; no clock that steps back opens it again.
    "ALTER TABLE poll ADD COLUMN closed_ms BIGINT",
    // sealed_ms: when the secret was destroyed, and with it all that could join a ballot to a reader.
    "ALTER TABLE poll ADD COLUMN sealed_ms BIGINT",
    // 1: has ballots from before there was a log; the next start writes them down.
    "ALTER TABLE poll ADD COLUMN unchained SMALLINT NOT NULL DEFAULT 0",
    // The removal that set it aside; such a ballot is kept and not counted.
    "ALTER TABLE ballot ADD COLUMN removed BIGINT",
    "UPDATE poll SET unchained = 1 WHERE id IN (SELECT poll_id FROM ballot)",
];
