//! Bounces and complaints about mails that were sent.

use super::statements::Step;

pub const MIGRATION: Step = Step {
    name: "m0006_bounces",
    statements: STATEMENTS,
};

const STATEMENTS: &[&str] = &[
    // One row for each distinct report about a mail: the same report twice is stored once.
    // kind: 1 no such address, 2 no such domain, 3 soft, 4 about us, 5 complaint, 6 opt-out.
    "CREATE TABLE bounce (
        reader_id BIGINT NOT NULL,
        issue_id BIGINT NOT NULL,
        kind SMALLINT NOT NULL,
        status TEXT NOT NULL DEFAULT '',
        at_ms BIGINT NOT NULL,
        PRIMARY KEY (reader_id, issue_id, kind)
    ) {clustered}",
];
