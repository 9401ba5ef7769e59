//! Orders of people, and ways to the recipients that are looked for.
//!
//! Nothing here costs a mail that simply goes out: an intent and an accepted mail both have the reason 0, so neither enters the
//! index, and PostgreSQL can still update the row in place.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0005_orders",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // Who ordered what of an issue on its way. kind: 1 pause, 2 resume, 3 cancel, 4 resend failed, 5 resend unknown,
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
    // Deferred recipients have a reason from now on: 14, asked to come back later.
    "UPDATE delivery SET reason = 14 WHERE state = 3 AND reason = 0",
    "CREATE INDEX delivery_by_reason ON delivery (issue_id, reason, reader_id) WHERE reason <> 0",
    "CREATE INDEX reader_domain ON reader (({domain}), email_key)",
];
