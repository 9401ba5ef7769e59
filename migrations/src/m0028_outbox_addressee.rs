//! Keeps the recipient of a single mail after its payload is deleted, so that a complaint about it stops all
//! further mails.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0028_outbox_addressee",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // A keyed hash, as in `suppression`. NULL: a mail to an editor, one from an earlier version, one that already
    // led to a complaint, or one to an erased reader.
    "ALTER TABLE outbox ADD COLUMN address_hash {blob}",
    // Complaints, erasures and requests for a reader's own data look up all mails to an address.
    "CREATE INDEX outbox_by_addressee ON outbox (address_hash) WHERE address_hash IS NOT NULL",
];
