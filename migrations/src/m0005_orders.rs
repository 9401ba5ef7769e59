//! Orders given by people, and indexes for finding recipients.
//!
//! Nothing here slows down a mail that is accepted at once: an intent and an accepted mail both have the reason 0,
//! so neither enters the index, and PostgreSQL can still update the row in place.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0005_orders",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // What was ordered for an issue being sent, and by whom. kind: 1 pause, 2 resume, 3 cancel, 4 resend failed, 5
    // resend unknown,
    // 6 accept unknown, 7 paused by itself.
    "CREATE TABLE mailing_order (
        id {id},
        issue_id BIGINT NOT NULL REFERENCES mailing(issue_id),
        kind SMALLINT NOT NULL,
        who TEXT NOT NULL,
        recipients BIGINT NOT NULL DEFAULT 0,
        detail TEXT NOT NULL DEFAULT '',
        at_ms BIGINT NOT NULL
    )",
    "CREATE INDEX mailing_order_of ON mailing_order (issue_id, id)",
    // From now on deferred recipients have a reason: 14, asked to come back later.
    "UPDATE delivery SET reason = 14 WHERE state = 3 AND reason = 0",
    "CREATE INDEX delivery_by_reason ON delivery (issue_id, reason, reader_id) WHERE reason <> 0",
    "CREATE INDEX reader_domain ON reader (({domain}), email_key)",
];
