//! A single mail to a reader knows whom it went to after its payload is gone: whoever calls it spam is mailed no more.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0028_outbox_addressee",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // A keyed hash, as in suppression. NULL: a mail to an editor, one of an earlier version, one that was called spam already, or one to
    // somebody who was erased.
    "ALTER TABLE outbox ADD COLUMN address_hash {blob}",
    // A complaint, an erasure and a reader's own data ask for all mails to an address.
    "CREATE INDEX outbox_by_addressee ON outbox (address_hash) WHERE address_hash IS NOT NULL",
];
